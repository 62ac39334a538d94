#pragma once
#include <sys/types.h>
#include <vector>

#include "bench/generator.hpp"
#include "bench/machine.hpp"
#include "bench/receiver.hpp"

namespace posthorn::bench {

struct Percentiles {
    double p50 = 0, p90 = 0, p99 = 0, max = 0;  // milliseconds
};

// By the nearest rank; zeros of nothing.
Percentiles percentiles_of(std::vector<std::int64_t> times_ns);

// One load, from its first request until everything that was accepted, and is expected to, has arrived.
struct Measurement {
    LoadResult sent;
    std::uint64_t accepted = 0, arrived = 0;  // deliveries, of those that are expected to arrive
    double seconds = 0;                       // from the first request to the last arrival
    double accepted_per_second = 0;           // messages
    double delivered_per_second = 0;          // deliveries
    Percentiles due_to_accepted, due_to_arrived, accepted_to_arrived;
    CpuTime cpu;
    double cpu_window_seconds = 0;  // in which that was used; the waiting for what is lost is part of it

    std::uint64_t lost() const { return accepted - arrived; }
};

// Throws what Generator::run throws, and what has ended the receiver. What has not arrived when nothing at
// all has arrived for a minute is lost.
Measurement measure(Generator& generator, const Receiver& receiver, const Ledger& ledger,
                    const ProcessIds& processes, const Load& load);

// Until everything of [first, end) that was accepted and is expected has arrived, or nothing has arrived for
// a minute, or for ten minutes. Throws Interrupted, and what has ended the receiver.
void await_arrivals(const Ledger& ledger, const Receiver& receiver, std::uint64_t first, std::uint64_t end);

// Of those deliveries of [first, end) that the choice takes, from due to arrived.
Percentiles arrival_times(const Ledger& ledger, std::uint64_t first, std::uint64_t end,
                          const std::function<bool(std::uint32_t endpoint)>& choice);

// Arrivals after the first of all messages so far.
std::uint64_t duplicates_so_far(const Ledger& ledger);

// The one in the middle, by the p99 of due to arrived and by what was delivered a second; never empty.
const Measurement& median_latency(const std::vector<Measurement>& all);
const Measurement& median_throughput(const std::vector<Measurement>& all);

}  // namespace posthorn::bench
