#include "domain/shard.hpp"

namespace posthorn::domain {

int shard_of(EndpointId endpoint) {
    std::uint64_t hash = 0xcbf29ce484222325ull;
    for (const std::uint8_t byte : endpoint.value.bytes) {
        hash ^= byte;
        hash *= 0x100000001b3ull;
    }
    hash ^= hash >> 32;  // FNV's low bits depend on the last bytes alone
    hash ^= hash >> 16;
    return static_cast<int>(hash % shard_count);
}

}  // namespace posthorn::domain
