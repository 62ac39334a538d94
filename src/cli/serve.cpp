#include "cli/serve.hpp"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>
#include <signal.h>
#include <stdexcept>

#include "base/crash_point.hpp"
#include "cli/command.hpp"
#include "cli/descriptor_limit.hpp"
#include "cli/generated_secrets.hpp"
#include "cli/logging.hpp"
#include "cli/service.hpp"
#include "cli/settings_from_command_line.hpp"

namespace posthorn::cli {

namespace {

// Before the first thread: all of them inherit it, and run() waits for these signals.
void block_stop_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    signal(SIGPIPE, SIG_IGN);
}

// For tests: what the process leaves behind when it dies there.
void arm_crash_point_of_environment() {
    const char* text =
        std::getenv(crash_point_variable);  // NOLINT(concurrency-mt-unsafe): before the first thread
    if (text == nullptr) return;
    try {
        arm_crash_point(text);
    } catch (const std::invalid_argument& error) {
        throw UsageError(error.what());
    }
}

}  // namespace

int run_serve(int argc, char** argv) {
    CLI::App app(
        "Runs the service: ingest, admin API and workers, in one process unless --roles says otherwise.",
        "posthorn serve");
    SettingsFlags flags(app);
    if (const auto status = parse_arguments(app, argc, argv)) return *status;
    arm_crash_point_of_environment();
    auto settings = flags.settings();
    complete_secrets(settings);
    block_stop_signals();
    raise_descriptor_limit();
    set_up_logging(settings);
    Service service(std::move(settings));
    std::cout << "posthorn is ready on http://" << service.address() << std::endl;
    return service.run();
}

}  // namespace posthorn::cli
