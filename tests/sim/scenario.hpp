#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace posthorn::sim {

struct Report {
    std::uint64_t seed = 0;
    std::vector<std::string> violations;
    std::size_t messages = 0, sends = 0, duplicates = 0, faults = 0, steps = 0;
};

// One seed: a few processes, endpoints and clients, a nemesis, about a minute of the world's time, and then
// peace until everything has ended. On a thread of its own, since ids and chance are per thread.
Report run_scenario(std::uint64_t seed);

}  // namespace posthorn::sim
