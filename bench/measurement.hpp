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

// One load, from its first request until everything that was accepted has arrived.
struct Measurement {
    LoadResult sent;
    std::uint64_t arrived = 0;  // of the accepted ones
    double seconds = 0;         // from the first request to the last arrival
    double accepted_per_second = 0, delivered_per_second = 0;
    Percentiles due_to_accepted, due_to_arrived, accepted_to_arrived;
    CpuTime cpu;
    double cpu_window_seconds = 0;  // in which that was used; the waiting for what is lost is part of it

    std::uint64_t lost() const { return sent.accepted - arrived; }
};

// service: whose CPU time is counted; 0: none runs. Throws what Generator::run throws, and what has ended the
// receiver. What has not arrived when nothing at all has arrived for a minute is lost.
Measurement measure(Generator& generator, const Receiver& receiver, const Ledger& ledger, pid_t service,
                    const Load& load);

// Arrivals after the first of all messages so far.
std::uint64_t duplicates_so_far(const Ledger& ledger);

}  // namespace posthorn::bench
