#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace posthorn::bench {

// What is measured.
struct ProcessIds {
    std::vector<pid_t> services;
    pid_t postgres = 0;  // its main process; 0: none runs
};

// Seconds of CPU used so far.
struct CpuTime {
    double service = 0;
    double postgres = 0;  // with its sessions, also those that have ended
    double bench = 0;     // this process: generator and receiver
    double others = 0;    // everything else that ran on this machine, the kernel's own threads too

    CpuTime operator-(const CpuTime& earlier) const;
    CpuTime& operator+=(const CpuTime& more);
};
CpuTime cpu_time(const ProcessIds& processes);

double peak_resident_mib(pid_t process);

// MiB that were written to the disk that holds a directory since the machine's start; nothing where the
// kernel does not count it (not a disk of its own).
std::optional<double> written_mib(const std::filesystem::path& directory);

struct Machine {
    unsigned processors;
    std::string model;
    std::string kernel;
};
Machine this_machine();

}  // namespace posthorn::bench
