#pragma once
#include <chrono>
#include <thread>

namespace posthorn::test {

// Polls a condition that somebody else brings about; false at the limit.
bool becomes_true(const auto& condition, std::chrono::milliseconds limit = std::chrono::seconds(30),
                  std::chrono::milliseconds pause = std::chrono::milliseconds(20)) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
        if (std::chrono::steady_clock::now() >= deadline) return condition();
        std::this_thread::sleep_for(pause);
    }
    return true;
}

}  // namespace posthorn::test
