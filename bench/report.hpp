#pragma once
#include <boost/json/value.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/measurement.hpp"

namespace posthorn::bench {

// What a run of the bench was asked for.
struct Plan {
    std::chrono::seconds seconds{15};  // of each measurement
    std::size_t repetitions = 3;
    double rate = 1'000;  // messages a second, of the latency
    std::uint32_t endpoints = 1'000;
    std::size_t connections = 128;
    std::size_t payload_bytes = 500;
    std::uint64_t check_every = 100;  // one signature in so many is checked
    bool measure_latency = true, measure_throughput = true;
    bool without_service = false;
};

struct Results {
    Plan plan;
    Machine machine;
    std::vector<Measurement> latency, throughput;  // each repetition
    double peak_resident_mib = 0;                  // of the service
    // Of the whole run, with the warm-up:
    std::uint64_t sent = 0, arrived = 0, refused = 0, lost = 0, duplicates = 0;
    std::uint64_t foreign = 0, misdelivered = 0, signatures = 0, forged = 0;
    int exit_status = 0;  // of the service

    bool flawless() const;
};

// The repetition in the middle, by the p99 of due to arrived and by what was delivered a second.
const Measurement& median_latency(const std::vector<Measurement>& all);
const Measurement& median_throughput(const std::vector<Measurement>& all);

std::string table_of(const Results& results);
boost::json::value json_of(const Results& results);

}  // namespace posthorn::bench
