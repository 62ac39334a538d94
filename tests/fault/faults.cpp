#include "fault/faults.hpp"

#include <fmt/format.h>
#include <stdexcept>

namespace posthorn::fault {

std::string_view name_of(Kind kind) {
    switch (kind) {
        case Kind::kill:
            return "kill -9 of a service";
        case Kind::terminate:
            return "SIGTERM and restart";
        case Kind::stall:
            return "SIGSTOP of a service";
        case Kind::kill_backend:
            return "kill -9 of a session";
        case Kind::kill_database:
            return "kill -9 of the database";
        case Kind::restart_fast:
            return "restart of the database";
        case Kind::restart_immediate:
            return "immediate restart of the database";
        case Kind::stall_database:
            return "SIGSTOP of the database";
        case Kind::cut_link:
            return "link cut";
        case Kind::fill_data:
            return "disk of the data full";
        case Kind::fill_wal:
            return "disk of the WAL full";
        case Kind::fill_logs:
            return "disk of the logs full";
        case Kind::descriptors:
            return "descriptors exhausted";
        case Kind::connections:
            return "connections exhausted";
        case Kind::clock:
            return "clock shifted";
    }
    return "";
}

bool concerns_the_database(Kind kind) {
    switch (kind) {
        case Kind::kill_backend:
        case Kind::kill_database:
        case Kind::restart_fast:
        case Kind::restart_immediate:
        case Kind::stall_database:
        case Kind::fill_data:
        case Kind::fill_wal:
        case Kind::connections:
            return true;
        default:
            return false;
    }
}

bool may_repeat_a_request(Kind kind) {
    switch (kind) {
        case Kind::terminate:
        case Kind::fill_logs:
        case Kind::descriptors:
        case Kind::connections:
        case Kind::clock:
            return false;
        default:
            return true;
    }
}

FaultLog::FaultLog(const std::string& path) : file_(std::fopen(path.c_str(), "w")) {
    if (!file_) throw std::runtime_error("cannot write " + path);
}

double FaultLog::seconds(SteadyTime time) const {
    return std::chrono::duration<double>(time - start_).count();
}

void FaultLog::tell(const std::string& what) {
    const auto line = fmt::format("{:8.3f} {}\n", seconds(std::chrono::steady_clock::now()), what);
    const std::lock_guard lock(mutex_);
    std::fputs(line.c_str(), file_.get());
    std::fflush(file_.get());
}

std::size_t FaultLog::begin(Kind kind, std::string target) {
    tell(fmt::format("begins: {} ({})", name_of(kind), target));
    const std::lock_guard lock(mutex_);
    windows_.push_back({kind, std::move(target), std::chrono::steady_clock::now(), SteadyTime::max()});
    return windows_.size() - 1;
}

void FaultLog::end(std::size_t fault) {
    std::string what;
    {
        const std::lock_guard lock(mutex_);
        auto& window = windows_.at(fault);
        window.until = std::chrono::steady_clock::now();
        what = fmt::format("is over: {} ({})", name_of(window.kind), window.target);
    }
    tell(what);
}

std::vector<Window> FaultLog::windows() const {
    const std::lock_guard lock(mutex_);
    return windows_;
}

}  // namespace posthorn::fault
