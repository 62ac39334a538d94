#include "bench/machine.hpp"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <thread>
#include <unistd.h>

#include "bench/sockets.hpp"

namespace posthorn::bench {

namespace fs = std::filesystem;

namespace {
const double ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));

struct ProcessTimes {
    pid_t parent = 0;
    double own = 0;    // seconds
    double ended = 0;  // of children that were waited for
};

// /proc/<pid>/stat, see proc(5). The name in brackets may hold anything.
ProcessTimes times_of(const fs::path& process) {
    std::ifstream file(process / "stat");
    std::string text;
    std::getline(file, text);
    std::istringstream fields(text.substr(std::min(text.size(), text.rfind(')') + 1)));
    std::string skipped;
    ProcessTimes times;
    fields >> skipped >> times.parent;
    for (int field = 5; field < 14; ++field) fields >> skipped;
    double user = 0, system = 0, ended_user = 0, ended_system = 0;
    fields >> user >> system >> ended_user >> ended_system;
    times.own = (user + system) / ticks_per_second;
    times.ended = (ended_user + ended_system) / ticks_per_second;
    return times;
}

std::map<pid_t, ProcessTimes> all_processes() {
    std::map<pid_t, ProcessTimes> all;
    for (const auto& entry : fs::directory_iterator("/proc")) {
        const auto name = entry.path().filename().string();
        pid_t pid = 0;
        const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
        if (error == std::errc() && end == name.data() + name.size()) all[pid] = times_of(entry.path());
    }
    return all;
}

double time_below(const std::map<pid_t, ProcessTimes>& all, pid_t ancestor) {
    double sum = 0;
    for (const auto& [pid, times] : all)
        if (times.parent == ancestor) sum += times.own + times.ended + time_below(all, pid);
    return sum;
}

double time_of_ended(const std::map<pid_t, ProcessTimes>& all, pid_t parent) {
    const auto found = all.find(parent);
    return found == all.end() ? 0 : found->second.ended;
}

// Everything but idle and waiting, from /proc/stat; guests are part of user.
double busy_time() {
    std::ifstream file("/proc/stat");
    std::string name;
    double user = 0, nice = 0, system = 0, idle = 0, waiting = 0, hard = 0, soft = 0;
    file >> name >> user >> nice >> system >> idle >> waiting >> hard >> soft;
    return (user + nice + system + hard + soft) / ticks_per_second;
}

double time_of_self() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// The value of "name : value" in a file of /proc.
std::string value_in(const fs::path& file, const std::string& name) {
    std::ifstream lines(file);
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with(name))
            if (const auto at = line.find_first_not_of(" \t:", name.size()); at != std::string::npos)
                return line.substr(at);
    return {};
}
}  // namespace

CpuTime CpuTime::operator-(const CpuTime& earlier) const {
    return {service - earlier.service, postgres - earlier.postgres, bench - earlier.bench,
            others - earlier.others};
}

CpuTime& CpuTime::operator+=(const CpuTime& more) {
    service += more.service;
    postgres += more.postgres;
    bench += more.bench;
    others += more.others;
    return *this;
}

CpuTime cpu_time(const ProcessIds& processes) {
    CpuTime time;
    const auto all = all_processes();
    const auto own = [&](pid_t pid) {
        const auto found = all.find(pid);
        return found == all.end() ? 0 : found->second.own;
    };
    for (const auto service : processes.services) time.service += own(service);
    if (processes.postgres > 0)
        time.postgres = own(processes.postgres) + time_of_ended(all, processes.postgres) +
                        time_below(all, processes.postgres);
    time.bench = time_of_self();
    time.others = busy_time() - time.service - time.postgres - time.bench;
    return time;
}

double peak_resident_mib(pid_t process) {
    double kibibytes = 0;
    std::istringstream(value_in(fs::path("/proc") / std::to_string(process) / "status", "VmHWM")) >>
        kibibytes;
    return kibibytes / 1024;
}

std::optional<double> written_mib(const fs::path& directory) {
    struct stat of{};
    if (stat(directory.c_str(), &of) != 0) return std::nullopt;
    constexpr double sectors_a_mebibyte = 2'048;
    std::ifstream disks("/proc/diskstats");  // proc(5); Documentation/admin-guide/iostats.rst
    for (std::string line; std::getline(disks, line);) {
        std::istringstream fields(line);
        unsigned major_number = 0, minor_number = 0;
        std::string name;
        std::uint64_t reads = 0, merged_reads = 0, sectors_read = 0, read_ms = 0, writes = 0,
                      merged_writes = 0, sectors_written = 0;
        fields >> major_number >> minor_number >> name >> reads >> merged_reads >> sectors_read >> read_ms >>
            writes >> merged_writes >> sectors_written;
        if (fields && makedev(major_number, minor_number) == of.st_dev)
            return static_cast<double>(sectors_written) / sectors_a_mebibyte;
    }
    return std::nullopt;
}

Machine this_machine() {
    utsname names{};
    uname(&names);
    return {std::thread::hardware_concurrency(), value_in("/proc/cpuinfo", "model name"), names.release};
}

}  // namespace posthorn::bench
