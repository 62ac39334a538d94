#pragma once
#include <algorithm>
#include <atomic>
#include <thread>

#include "base/clock.hpp"

namespace posthorn::fault {

// How late a thread that sleeps is woken at most: a machine that has no time for its processes looks like a
// fault.
class Lateness {
public:
    std::chrono::milliseconds longest() const { return std::chrono::milliseconds(longest_ms_); }

private:
    void measure(const std::stop_token& stop) {
        constexpr std::chrono::milliseconds nap{20};
        while (!stop.stop_requested()) {
            const auto due = std::chrono::steady_clock::now() + nap;
            std::this_thread::sleep_until(due);
            const auto late =
                std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - due);
            longest_ms_ = std::max<std::int64_t>(longest_ms_, late.count());
        }
    }

    std::atomic<std::int64_t> longest_ms_{0};
    std::jthread thread_{[this](const std::stop_token& stop) { measure(stop); }};
};

}  // namespace posthorn::fault
