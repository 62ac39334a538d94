#include "workers/shard_plan.hpp"

#include <algorithm>

namespace posthorn::workers {

namespace {
constexpr std::int64_t no_row = -1;  // the counter of an owner that has no row any more
}

void Liveness::observe(const std::vector<store::ProcessRow>& rows, const std::vector<store::LeaseRow>& leases,
                       SteadyTime now) {
    std::map<ProcessId, std::int64_t> counters;
    std::set<ProcessId> is_worker;
    for (const auto& row : rows) {
        counters[row.id] = row.counter;
        if (row.worker) is_worker.insert(row.id);
    }
    for (const auto& lease : leases)
        if (lease.owner) counters.emplace(*lease.owner, no_row);
    std::erase_if(seen_, [&](const auto& entry) { return !counters.contains(entry.first); });
    alive_.clear();
    workers_.clear();
    for (const auto& [id, counter] : counters) {
        auto [at, fresh] = seen_.try_emplace(id, Seen{counter, now});
        if (!fresh && at->second.counter != counter) at->second = Seen{counter, now};
        if (now - at->second.since >= store::lease_duration) continue;
        alive_.insert(id);
        if (is_worker.contains(id)) workers_.insert(id);
    }
}

ShardPlan plan_shards(ProcessId self, const std::vector<store::LeaseRow>& leases, const Liveness& liveness) {
    ShardPlan plan;
    const auto& workers = liveness.workers();
    const auto place = std::distance(workers.begin(), workers.find(self));
    if (place == std::ssize(workers)) return plan;
    const auto count = std::ssize(workers);
    const auto share = store::shard_count / count + (place < store::shard_count % count ? 1 : 0);

    std::vector<int> mine;
    std::vector<store::HeldShard> free;
    std::set<store::DeadOwner> dead;
    for (const auto& lease : leases) {
        if (lease.owner == self) {
            mine.push_back(lease.shard);
        } else if (!lease.owner || !liveness.alive(*lease.owner)) {
            free.push_back({lease.shard, lease.epoch});
            if (lease.owner) dead.insert({*lease.owner, liveness.counter(*lease.owner)});
        }
    }
    plan.dead.assign(dead.begin(), dead.end());
    const auto missing = share - std::ssize(mine);
    if (missing > 0)
        plan.take.assign(free.begin(), free.begin() + std::min(missing, std::ssize(free)));
    else
        plan.release.assign(mine.begin() + share, mine.end());
    return plan;
}

}  // namespace posthorn::workers
