#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>

#include "fault/surroundings.hpp"

namespace posthorn::fault {

struct RigOptions {
    std::uint64_t seed = 0;
    std::chrono::seconds length{120};
    int events_a_second = 200;
    std::filesystem::path output;  // where logs are kept
};

// One run from the first process to the last line of its report; true when the promise was kept. Ends early
// when `interrupted`. Throws std::runtime_error if it can not begin.
bool run_rig(const RigOptions& options, const Surroundings& surroundings,
             const std::atomic<bool>& interrupted);

}  // namespace posthorn::fault
