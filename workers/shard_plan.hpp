#pragma once
#include <map>
#include <set>
#include <vector>

#include "base/clock.hpp"
#include "store/lease.hpp"

namespace posthorn::workers {

// Judges processes by their counters, on this process's monotonic clock: one whose counter stood still for a
// lease's duration is dead. The wall clock plays no part (I13).
class Liveness {
public:
    void observe(const std::vector<store::ProcessRow>& rows, const std::vector<store::LeaseRow>& leases,
                 SteadyTime now);
    bool alive(ProcessId process) const { return alive_.contains(process); }
    // For those that are not alive.
    std::int64_t counter(ProcessId process) const { return seen_.at(process).counter; }
    // Living workers, in the order of their ids.
    const std::set<ProcessId>& workers() const { return workers_; }

private:
    struct Seen {
        std::int64_t counter;
        SteadyTime since;
    };
    std::map<ProcessId, Seen> seen_;
    std::set<ProcessId> alive_, workers_;
};

struct ShardPlan {
    std::vector<store::HeldShard> take;  // at the epoch they have now
    std::vector<store::DeadOwner> dead;  // whose they are
    std::vector<int> release;            // after draining
};

// What this process should do for every living worker to have its share: 64 divided by their number, the
// first ones one more.
ShardPlan plan_shards(ProcessId self, const std::vector<store::LeaseRow>& leases, const Liveness& liveness);

}  // namespace posthorn::workers
