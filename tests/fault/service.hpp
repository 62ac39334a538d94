#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "fault/faults.hpp"

namespace posthorn::fault {

// A real `posthorn serve`, started again when it has ended. Used by one thread.
class Service {
public:
    struct Options {
        std::string name;                 // also its host's name, where it may have one
        std::vector<std::string> prefix;  // what it is started with
        std::map<std::string, std::string> environment;
        std::filesystem::path log;
        bool own_host_name = false;
    };
    Service(Options options, FaultLog& log, std::uint64_t seed);
    ~Service();

    const std::string& name() const { return options_.name; }
    bool running() const { return pid_ >= 0; }
    // Starts it, after a while that chance tells, when it has ended.
    void supervise();

    void kill();
    void terminate();
    bool terminating() const { return terminated_at_.has_value(); }
    void stall(bool stopped);
    // It may open `more` descriptors than it has; nothing: as many as at first.
    void limit_descriptors(std::optional<int> more);

    // SIGTERM for good; true when it ended with status 0 within the time.
    bool stop(std::chrono::seconds limit);

    struct Death {
        std::string what;
        SteadyTime at;
    };
    // Ended though nobody asked it to, or not cleanly though asked: to be explained by a fault, or not.
    const std::vector<Death>& deaths() const { return deaths_; }
    long peak_memory_kilobytes();  // of all its lives

private:
    void launch();
    void look_at_memory();
    void ended(int status);
    std::vector<std::string> command_line() const;

    Options options_;
    FaultLog& log_;
    Random random_;
    pid_t pid_ = -1;
    bool killed_ = false, stopping_ = false, stalled_ = false;
    std::optional<SteadyTime> terminated_at_;
    SteadyTime start_at_{}, launched_at_{};
    std::vector<Death> deaths_;
    long peak_kilobytes_ = 0;
};

}  // namespace posthorn::fault
