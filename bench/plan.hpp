#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>

namespace posthorn::bench {

// What a run of the bench was asked for.
struct Plan {
    std::chrono::seconds seconds{8};  // of each measurement
    std::size_t repetitions = 3;      // of which the median counts
    double rate = 1'000;              // messages a second, where latency is measured
    std::uint32_t endpoints = 1'000;
    std::size_t connections = 128;
    std::size_t payload_bytes = 500;
    std::uint64_t check_every = 100;  // one signature in so many is checked

    std::int64_t dead_deliveries = 1'000'000;  // isolation: due at the dead endpoint
    std::int64_t stored = 2'000'000;           // flatness: messages, and as many attempts
    std::chrono::seconds hold{30};             // flatness: how long a transaction stays open
    std::int64_t backlog = 200'000;            // flatness: of the endpoint that returns

    std::filesystem::path program, directory = "/var/tmp";
};

}  // namespace posthorn::bench
