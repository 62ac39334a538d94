#pragma once
#include <atomic>

#include "base/clock.hpp"

namespace posthorn::store {

// Wall time that follows the database's clock and runs on this process's monotonic one in between: a jump of
// this machine's wall clock is not seen (I13). Any thread.
class DatabaseClock final : public Clock {
public:
    explicit DatabaseClock(const Clock& machine = real_clock) : machine_(machine) {
        follow(machine.system_now(), machine.steady_now());
    }

    // The database said `time` for the moment `at`.
    void follow(SystemTime time, SteadyTime at) {
        offset_.store(time.time_since_epoch().count() - microseconds(at), std::memory_order_relaxed);
    }
    SteadyTime steady_now() const override { return machine_.steady_now(); }
    SystemTime system_now() const override {
        return SystemTime(
            std::chrono::microseconds(microseconds(steady_now()) + offset_.load(std::memory_order_relaxed)));
    }

private:
    static constexpr RealClock real_clock{};

    static std::int64_t microseconds(SteadyTime time) {
        return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
    }
    const Clock& machine_;
    std::atomic<std::int64_t> offset_{0};
};

}  // namespace posthorn::store
