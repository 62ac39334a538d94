#pragma once
#include <chrono>
#include <exception>

namespace posthorn::cli {

// The user wants the command to end: what is under way is left, and whatever was started is ended.
class Interrupted : public std::exception {
public:
    const char* what() const noexcept override { return "interrupted"; }
};

// From its beginning on SIGINT, SIGTERM and SIGHUP are blocked in this thread, and in those that it starts,
// and are waited for here. One a process, before the first thread.
class StopSignals {
public:
    StopSignals();
    // Waits so long; throws Interrupted as soon as a signal has come.
    void pause(std::chrono::milliseconds time);
};

}  // namespace posthorn::cli
