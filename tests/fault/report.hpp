#pragma once
#include <map>
#include <string>
#include <vector>

#include "fault/checker.hpp"

namespace posthorn::fault {

struct Result {
    const FaultLog& log;
    const Checker& checker;
    std::size_t requests;
    std::map<std::string, long> peak_kilobytes;  // by the service's name
    std::chrono::milliseconds longest_lateness;  // of the machine
    std::vector<std::string> violations;
};

// To stdout: what happened, how often, and what of it broke the promise.
void print_report(const Result& result);

}  // namespace posthorn::fault
