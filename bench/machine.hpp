#pragma once
#include <string>
#include <sys/types.h>

namespace posthorn::bench {

// Seconds of CPU used so far.
struct CpuTime {
    double service = 0;
    double postgres = 0;  // the service's child processes, with those that have ended
    double bench = 0;     // this process: generator and receiver
    double others = 0;    // everything else that ran on this machine, the kernel's own threads too

    CpuTime operator-(const CpuTime& earlier) const;
    CpuTime& operator+=(const CpuTime& more);
};
CpuTime cpu_time(pid_t service);  // 0: there is none

double peak_resident_mib(pid_t process);

struct Machine {
    unsigned processors;
    std::string model;
    std::string kernel;
};
Machine this_machine();

// Room for a connection to every endpoint. Children inherit it.
void raise_descriptor_limit();

}  // namespace posthorn::bench
