#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace posthorn::bench {

inline constexpr std::size_t smallest_payload_bytes = 64;

// The messages that are sent: each holds its number at a place that is known, so that neither side parses
// JSON, and is filled up to its size with what does not compress: PostgreSQL would store next to nothing of
// a large payload otherwise.
class Event {
public:
    // Throws std::invalid_argument below smallest_payload_bytes.
    explicit Event(std::size_t payload_bytes);

    // A message's payload, or what is submitted for it; good until the next call.
    std::string_view payload(std::uint64_t number);
    std::string_view submission(std::uint64_t number);

    // The number of a received payload; nothing if it is none of ours.
    static std::optional<std::uint64_t> number_in(std::string_view payload);

    // Where SQL writes the number into payload(0): its first character, counted from 1, and how many.
    static constexpr int number_position = 12, number_digits = 12;

private:
    std::string submission_;
    std::size_t payload_begin_, payload_bytes_;
};

}  // namespace posthorn::bench
