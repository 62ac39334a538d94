#pragma once
#include <array>
#include <chrono>
#include <cstdio>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"

namespace posthorn::fault {

enum class Kind {
    kill,               // SIGKILL of a service
    terminate,          // SIGTERM; it is started again
    stall,              // SIGSTOP of a service, for longer than its lease
    kill_backend,       // SIGKILL of one of the database's sessions, by which all of them end
    kill_database,      // SIGKILL of its main process
    restart_fast,       // its sessions are ended, everything is written
    restart_immediate,  // as a crash
    stall_database,     // SIGSTOP of all its processes
    cut_link,           // packets between a worker and the database vanish
    fill_data,
    fill_wal,
    fill_logs,
    descriptors,  // a service may open a few more and no others
    connections,  // the database has none left
    clock,        // a service's wall clock jumps by hours
};
inline constexpr std::array all_kinds{
    Kind::kill,        Kind::terminate,    Kind::stall,    Kind::kill_backend,   Kind::kill_database,
    Kind::fill_data,   Kind::restart_fast, Kind::cut_link, Kind::stall_database, Kind::restart_immediate,
    Kind::descriptors, Kind::connections,  Kind::fill_wal, Kind::fill_logs,      Kind::clock};

std::string_view name_of(Kind kind);
// Of these only one is under way at a time.
bool concerns_the_database(Kind kind);
// A process dies, stalls or loses its way to the database for longer than a lease, or the database crashes:
// what was in flight may be sent once more (I5). After the others nothing may.
bool may_repeat_a_request(Kind kind);

struct Window {
    Kind kind;
    std::string target;
    SteadyTime from;
    SteadyTime until;  // SteadyTime::max() while it lasts
};

// What the nemesis did and when, also as lines in a file. Any thread.
class FaultLog {
public:
    // Throws std::runtime_error if the file can not be written.
    explicit FaultLog(const std::string& path);

    std::size_t begin(Kind kind, std::string target);
    void end(std::size_t fault);
    void tell(const std::string& what);
    std::vector<Window> windows() const;
    double seconds(SteadyTime time) const;  // since the start, as in the file
    SteadyTime start() const { return start_; }

private:
    struct CloseFile {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    const SteadyTime start_ = std::chrono::steady_clock::now();
    std::unique_ptr<std::FILE, CloseFile> file_;
    mutable std::mutex mutex_;
    std::vector<Window> windows_;
};

}  // namespace posthorn::fault
