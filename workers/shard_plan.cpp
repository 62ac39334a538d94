#include "workers/shard_plan.hpp"

#include <algorithm>

namespace posthorn::workers {

namespace {
constexpr std::int64_t no_row = -1;  // the counter of an owner that has no row any more
}

void Liveness::observe(const std::vector<store::ProcessRow>& rows, const std::vector<store::LeaseRow>& leases,
                       SteadyTime looked_at) {
    const auto now = time_.look(looked_at);
    std::map<ProcessId, std::int64_t> counters;
    is_worker_.clear();
    for (const auto& row : rows) {
        counters[row.id] = row.counter;
        if (row.worker) is_worker_.insert(row.id);
    }
    for (const auto& lease : leases)
        if (lease.owner) counters.emplace(*lease.owner, no_row);
    std::erase_if(seen_, [&](const auto& entry) { return !counters.contains(entry.first); });
    alive_.clear();
    workers_.clear();
    elders_ = 0;
    for (const auto& [id, counter] : counters) {
        auto [at, fresh] = seen_.try_emplace(id, Seen{counter, now, observed_before_, now});
        if (!fresh && at->second.counter != counter) at->second = Seen{counter, now, true, at->second.first};
        if (now - at->second.since >= store::lease_duration) continue;
        alive_.insert(id);
        if (!at->second.moved || !is_worker_.contains(id)) continue;
        workers_.insert(id);
        if (now - at->second.first >= store::lease_duration) ++elders_;
    }
    observed_before_ = true;
}

ShardPlan plan_shards(ProcessId self, const std::vector<store::LeaseRow>& leases, const Liveness& liveness,
                      const std::map<int, std::int64_t>& held) {
    ShardPlan plan;
    if (!liveness.alive(self) || !liveness.is_worker(self)) return plan;
    auto workers = liveness.workers();
    workers.insert(self);
    const auto place = std::distance(workers.begin(), workers.find(self));
    const auto count = std::ssize(workers);
    const auto share = store::shard_count / count + (place < store::shard_count % count ? 1 : 0);

    std::vector<int> mine;
    std::vector<store::HeldShard> free, orphaned;
    std::set<store::DeadOwner> dead;
    for (const auto& lease : leases) {
        const store::HeldShard shard{lease.shard, lease.epoch};
        if (lease.owner == self && held.contains(lease.shard)) {
            mine.push_back(lease.shard);
        } else if (lease.owner == self) {
            plan.take.push_back(shard);
        } else if (!lease.owner) {
            free.push_back(shard);
        } else if (!liveness.alive(*lease.owner)) {
            orphaned.push_back(shard);
            dead.insert({*lease.owner, liveness.counter(*lease.owner)});
        }
    }
    plan.dead.assign(dead.begin(), dead.end());
    const auto take_up_to = [&](std::ptrdiff_t limit, const std::vector<store::HeldShard>& from) {
        const auto missing = limit - std::ssize(mine) - std::ssize(plan.take);
        const auto count = std::clamp<std::ptrdiff_t>(missing, 0, std::ssize(from));
        plan.take.insert(plan.take.end(), from.begin(), from.begin() + count);
    };
    take_up_to(share, free);
    // Of the dead's also what is a newcomer's share: it could not take it yet, and is given it later.
    const auto elders = std::max<std::ptrdiff_t>(liveness.elders(), 1);
    take_up_to(std::max(share, (store::shard_count + elders - 1) / elders), orphaned);
    if (std::ssize(mine) > share && plan.take.empty()) plan.release.assign(mine.begin() + share, mine.end());
    return plan;
}

}  // namespace posthorn::workers
