#pragma once
#include <chrono>

namespace posthorn {

// Deadlines and everything measured run on the monotonic clock; what is shown or stored is wall time, which
// in a service follows the database's clock (store::DatabaseClock).
using SteadyTime = std::chrono::steady_clock::time_point;
using SystemTime = std::chrono::sys_time<std::chrono::microseconds>;
using Duration = std::chrono::steady_clock::duration;

// Time as a value handed in, so that tests move it by hand.
class Clock {
public:
    virtual ~Clock() = default;
    virtual SteadyTime steady_now() const = 0;
    virtual SystemTime system_now() const = 0;
};

class RealClock final : public Clock {
public:
    SteadyTime steady_now() const override { return std::chrono::steady_clock::now(); }
    SystemTime system_now() const override {
        return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
    }
};

class ManualClock final : public Clock {
public:
    explicit ManualClock(SystemTime start) : system_(start) {}
    SteadyTime steady_now() const override { return steady_; }
    SystemTime system_now() const override { return system_; }
    void advance(Duration by) {
        steady_ += by;
        system_ += std::chrono::duration_cast<std::chrono::microseconds>(by);
    }
    void jump_wall_clock(std::chrono::microseconds by) { system_ += by; }

private:
    SteadyTime steady_{std::chrono::hours(1)};
    SystemTime system_;
};

}  // namespace posthorn
