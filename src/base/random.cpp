#include "base/random.hpp"

#include <cstring>
#include <limits>
#include <openssl/rand.h>
#include <stdexcept>

namespace posthorn {

std::string random_bytes(std::size_t count) {
    std::string bytes(count, '\0');
    if (count > static_cast<std::size_t>(std::numeric_limits<int>::max()) ||
        RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) != 1)
        throw std::runtime_error("the system's random generator failed");
    return bytes;
}

std::uint64_t Random::next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

double Random::unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

namespace {
Random& generator_of_thread() {
    thread_local Random generator([] {
        std::uint64_t seed = 0;
        std::memcpy(&seed, random_bytes(sizeof seed).data(), sizeof seed);
        return seed;
    }());
    return generator;
}
}  // namespace

std::uint64_t random_u64() { return generator_of_thread().next(); }
void seed_random_u64(std::uint64_t seed) { generator_of_thread() = Random(seed); }

}  // namespace posthorn
