#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace posthorn {

// Bytes fit for keys and secrets (OpenSSL's generator). Throws std::runtime_error if the system gives none.
std::string random_bytes(std::size_t count);

// Fast, per thread, seeded from the system: for ids and jitter, not for secrets.
std::uint64_t random_u64();
// For simulations: from here on this thread's random_u64 is replayable.
void seed_random_u64(std::uint64_t seed);

// Seeded generator (SplitMix64): handed to whatever must be replayable in tests.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next();
    double unit();  // [0, 1)

private:
    std::uint64_t state_;
};

}  // namespace posthorn
