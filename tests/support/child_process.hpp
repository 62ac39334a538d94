#pragma once
#include "cli/child_process.hpp"

namespace posthorn::test {

using cli::ChildProcess;

// Runs the program to its end: at most `limit`, then it is made to end and std::runtime_error is thrown.
struct Finished {
    int status = 0;  // 128 + n after signal n
    std::string output, errors;
};
Finished run_program(ChildProcess::Options options,
                     std::chrono::milliseconds limit = std::chrono::seconds(60));

}  // namespace posthorn::test
