#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/random.hpp"
#include "fault/cluster.hpp"
#include "fault/faults.hpp"
#include "fault/service.hpp"

namespace posthorn::fault {

// One fault of a seed's plan.
struct PlannedFault {
    std::chrono::milliseconds at, lasts;
    Kind kind;
    std::uint64_t draw;  // for what is chosen when it begins
};
// One after another with some seconds of peace between, each fourth with another one in its midst; of the
// kinds that are allowed every one comes before one comes again.
std::vector<PlannedFault> plan_faults(std::uint64_t seed, std::chrono::milliseconds length,
                                      const std::set<Kind>& allowed);

// What it can lay its hands on; all of it outlives it.
struct Targets {
    Cluster& cluster;
    std::vector<Service*> services;
    Service* remote;   // the one whose link can be cut
    Service* shifted;  // the one whose clock can be shifted
    SecondNetwork* link;
    std::filesystem::path clock_file;  // of preloaded/shifted_clock.cpp
};

// Does what the plan says, and undoes it. Used by one thread.
class Nemesis {
public:
    Nemesis(Targets targets, FaultLog& log, std::vector<PlannedFault> plan);
    ~Nemesis();

    void step();  // often: begins and ends what is due
    bool done() const { return next_ == plan_.size() && active_.empty(); }
    void heal();  // everything at once, and nothing more

private:
    struct Active {
        std::size_t fault;
        SteadyTime heal_at;
        std::function<void()> heal;       // empty once it was called
        std::function<bool()> recovered;  // since then
    };
    void begin(const PlannedFault& planned);
    std::optional<Active> act(const PlannedFault& planned);
    std::optional<Active> act_on_service(const PlannedFault& planned);
    std::optional<Active> act_on_database(const PlannedFault& planned);
    Active fill(const PlannedFault& planned, SmallDisk& disk, const std::string& name);
    Active restart(const PlannedFault& planned, int signal);
    Active use_up_connections(const PlannedFault& planned);
    Active shift_clock(const PlannedFault& planned);
    Service* choose_service(std::uint64_t draw) const;
    Active started(const PlannedFault& planned, const std::string& target);

    Targets targets_;
    FaultLog& log_;
    const std::vector<PlannedFault> plan_;
    const SteadyTime start_ = std::chrono::steady_clock::now();
    std::size_t next_ = 0;
    std::vector<Active> active_;
};

}  // namespace posthorn::fault
