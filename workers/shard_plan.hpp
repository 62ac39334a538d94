#pragma once
#include <map>
#include <set>
#include <vector>

#include "base/clock.hpp"
#include "store/lease.hpp"

namespace posthorn::workers {

// Judges processes by their counters, on this process's monotonic clock: one whose counter was seen standing
// still for a lease's duration is dead. The wall clock plays no part (I13).
class Liveness {
public:
    void observe(const std::vector<store::ProcessRow>& rows, const std::vector<store::LeaseRow>& leases,
                 SteadyTime looked_at);
    bool alive(ProcessId process) const { return alive_.contains(process); }
    // For those that are not alive.
    std::int64_t counter(ProcessId process) const { return seen_.at(process).counter; }
    bool is_worker(ProcessId process) const { return is_worker_.contains(process); }
    // Living workers that were seen coming or renewing, in the order of their ids. One whose row was there
    // before us and has not moved yet may have died a moment ago: nothing is taken from it, and nothing left
    // free for it.
    const std::set<ProcessId>& workers() const { return workers_; }
    // Those of them that are there for as long as a lease lasts: who came later can't know yet who is dead.
    std::ptrdiff_t elders() const { return elders_; }

private:
    struct Seen {
        std::int64_t counter;
        Duration since;  // this and `first`: in observed time
        bool moved;
        Duration first;
    };
    store::ObservedTime time_;
    std::map<ProcessId, Seen> seen_;
    std::set<ProcessId> alive_, is_worker_, workers_;
    std::ptrdiff_t elders_ = 0;
    bool observed_before_ = false;
};

struct ShardPlan {
    std::vector<store::HeldShard> take;  // at the epoch they have now
    std::vector<store::DeadOwner> dead;  // whose they are
    std::vector<int> release;            // after draining
};

// What this process should do for every living worker to have its share: 64 divided by their number, the
// first ones one more. `held`: what it knows that it holds, with the epoch. What is its by the table alone
// was taken by a statement whose answer was lost: it is taken again, or nobody would serve it.
ShardPlan plan_shards(ProcessId self, const std::vector<store::LeaseRow>& leases, const Liveness& liveness,
                      const std::map<int, std::int64_t>& held);

}  // namespace posthorn::workers
