#pragma once
#include <array>
#include <atomic>

#include "store/lease.hpp"

namespace posthorn::workers {

// Which loop of this process has a shard, if any: for who hands deliveries over. A hint, from any thread; the
// loop itself knows.
class ShardMap {
public:
    ShardMap() {
        for (auto& loop : loops_) loop.store(-1, std::memory_order_relaxed);
    }
    void set(int shard, int loop) {
        loops_[static_cast<std::size_t>(shard)].store(loop, std::memory_order_relaxed);
    }
    int loop_of(int shard) const {
        return loops_[static_cast<std::size_t>(shard)].load(std::memory_order_relaxed);
    }

private:
    std::array<std::atomic<int>, store::shard_count> loops_{};
};

}  // namespace posthorn::workers
