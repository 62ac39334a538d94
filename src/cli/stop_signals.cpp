#include "cli/stop_signals.hpp"

#include <cerrno>
#include <ctime>
#include <pthread.h>
#include <signal.h>

namespace posthorn::cli {

namespace {
sigset_t stop_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, number);
    return set;
}
}  // namespace

StopSignals::StopSignals() {
    const auto set = stop_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void StopSignals::pause(std::chrono::milliseconds time) {
    const auto set = stop_signals();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
    timespec limit{};
    limit.tv_sec = seconds.count();
    limit.tv_nsec = std::chrono::nanoseconds(time - seconds).count();
    if (sigtimedwait(&set, nullptr, &limit) > 0) throw Interrupted();
}

}  // namespace posthorn::cli
