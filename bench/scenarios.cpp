#include "bench/scenarios.hpp"

#include <array>

namespace posthorn::bench {

namespace {
constexpr std::array scenarios{
    Scenario{"storage_limit", "what PostgreSQL allows", run_storage_limit, false},
    Scenario{"throughput", "full load by single and by batch requests, against the storage limit; statements",
             run_throughput, true, true},
    Scenario{"latency", "from request to arrival", run_latency, true, true},
    Scenario{"isolation", "the others beside a dead, slow and failing endpoints; memory", run_isolation},
    Scenario{"flatness", "on a full database, beside an open transaction, after an endpoint's return",
             run_flatness},
    Scenario{"scaling", "1, 2 and 4 processes; the taking over of a killed one", run_scaling},
    Scenario{"fan_out", "a message to 1,000 endpoints; 1,000 messages/s to 10 each", run_fan_out},
    Scenario{"large_payloads", "256 KiB, against the disk", run_large_payloads},
    Scenario{"tls", "subscribers over TLS, by HTTP/1.1 and HTTP/2", run_tls},
    Scenario{"bench_itself", "generator and receiver without a service: what the bench costs",
             run_bench_itself, false},
};
}  // namespace

std::span<const Scenario> all_scenarios() { return scenarios; }

}  // namespace posthorn::bench
