#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>

#include "base/clock.hpp"

namespace posthorn {

// 128 bits, compared as PostgreSQL compares its uuid type (bytewise).
struct Uuid {
    std::array<std::uint8_t, 16> bytes{};

    auto operator<=>(const Uuid&) const = default;
    bool is_nil() const { return *this == Uuid{}; }
};

// UUIDv7 (RFC 9562, 5.7): 48 bits of Unix milliseconds, then 12 bits that count up within a millisecond, then
// 62 random bits. Ids made by one generator ascend strictly, also when the given time stands still or steps
// back.
class UuidV7Generator {
public:
    Uuid next(SystemTime now);

private:
    std::uint64_t last_ = 0;  // milliseconds << 12 | counter
};

// The calling thread's own generator.
Uuid make_uuid_v7(SystemTime now);

SystemTime uuid_v7_time(const Uuid& id);  // milliseconds precise
Uuid uuid_v7_floor(SystemTime time);      // the smallest UUIDv7 of that millisecond: a bound for ranges
std::string to_string(const Uuid& id);    // 8-4-4-4-12 lowercase hex, for logs

}  // namespace posthorn

template <>
struct std::hash<posthorn::Uuid> {
    std::size_t operator()(const posthorn::Uuid& id) const noexcept {
        std::uint64_t high = 0, low = 0;
        std::memcpy(&high, id.bytes.data(), 8);
        std::memcpy(&low, id.bytes.data() + 8, 8);
        return static_cast<std::size_t>(low ^ (high * 0x9E3779B97F4A7C15ull));
    }
};
