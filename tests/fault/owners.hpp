#pragma once
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.hpp"

namespace posthorn::fault {

// A process that owned shards, as the table said.
struct Owner {
    std::string host;
    SteadyTime first_seen, last_seen;
};

// Looks ten times a second at who owns shards.
class OwnerWatch {
public:
    explicit OwnerWatch(std::string conninfo);
    ~OwnerWatch();
    std::vector<Owner> owners() const;

private:
    void look();

    const std::string conninfo_;
    mutable std::mutex mutex_;
    std::map<std::string, Owner> owners_;  // by the process's id
    std::jthread thread_;
};

}  // namespace posthorn::fault
