#include "base/uuid.hpp"

#include <fmt/format.h>

#include "base/random.hpp"

namespace posthorn {

namespace {
std::uint64_t unix_milliseconds(SystemTime time) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
    return ms < 0 ? 0 : static_cast<std::uint64_t>(ms);
}

void put_time(Uuid& id, std::uint64_t ms) {
    for (int i = 0; i < 6; ++i)
        id.bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(ms >> (40 - 8 * i));
}
}  // namespace

Uuid UuidV7Generator::next(SystemTime now) {
    const std::uint64_t floor = unix_milliseconds(now) << 12;
    last_ = std::max(last_ + 1, floor);
    Uuid id;
    put_time(id, last_ >> 12);
    id.bytes[6] = static_cast<std::uint8_t>(0x70 | ((last_ >> 8) & 0x0F));
    id.bytes[7] = static_cast<std::uint8_t>(last_ & 0xFF);
    const std::uint64_t random = random_u64();
    std::memcpy(id.bytes.data() + 8, &random, 8);
    id.bytes[8] = static_cast<std::uint8_t>(0x80 | (id.bytes[8] & 0x3F));
    return id;
}

Uuid make_uuid_v7(SystemTime now) {
    thread_local UuidV7Generator generator;
    return generator.next(now);
}

SystemTime uuid_v7_time(const Uuid& id) {
    std::uint64_t ms = 0;
    for (std::size_t i = 0; i < 6; ++i) ms = ms << 8 | id.bytes[i];
    return SystemTime(std::chrono::milliseconds(ms));
}

Uuid uuid_v7_floor(SystemTime time) {
    Uuid id;
    put_time(id, unix_milliseconds(time));
    id.bytes[6] = 0x70;
    id.bytes[8] = 0x80;
    return id;
}

std::string to_string(const Uuid& id) {
    std::string text;
    text.reserve(36);
    for (std::size_t i = 0; i < 16; ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        text += fmt::format("{:02x}", id.bytes[i]);
    }
    return text;
}

}  // namespace posthorn
