#pragma once
#include <span>
#include <string_view>

#include "bench/report.hpp"

namespace posthorn::bench {

struct Scenario {
    std::string_view name;
    std::string_view measures;
    void (*run)(Results& results);
    bool in_full = true, in_quick = false;  // what a run without names contains
};

// In the order in which they run.
std::span<const Scenario> all_scenarios();

void run_storage_limit(Results& results);
void run_throughput(Results& results);
void run_latency(Results& results);
void run_isolation(Results& results);
void run_flatness(Results& results);
void run_scaling(Results& results);
void run_fan_out(Results& results);
void run_large_payloads(Results& results);
void run_tls(Results& results);
void run_bench_itself(Results& results);

}  // namespace posthorn::bench
