#pragma once
#include <atomic>

#include "base/clock.hpp"

namespace posthorn::workers {

// Until when this process may count its shards as its own, by its monotonic clock. Written by the one that
// renews, read by every loop right before a request's first byte.
class Lease {
public:
    void extend_until(SteadyTime time) {
        until_.store(time.time_since_epoch().count(), std::memory_order_release);
    }
    void end() { until_.store(0, std::memory_order_release); }
    bool valid(SteadyTime now) const {
        return now.time_since_epoch().count() < until_.load(std::memory_order_acquire);
    }

private:
    std::atomic<SteadyTime::rep> until_{0};
};

}  // namespace posthorn::workers
