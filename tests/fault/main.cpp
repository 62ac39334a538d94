// The fault rig: ./dev fault
#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>

#include "base/random.hpp"
#include "fault/rig.hpp"

namespace fault = posthorn::fault;

namespace {
std::atomic<bool> interrupted{false};
void interrupt(int) { interrupted = true; }
}  // namespace

int main(int argc, char** argv) {
    fault::RigOptions options;
    double minutes = 2;
    options.seed = posthorn::random_u64() % 1'000'000'000;
    std::string output = "build/fault";
    CLI::App app{"Real services and a real PostgreSQL under a seeded nemesis, held to the promise"};
    app.add_option("--minutes", minutes, "how long events are sent")->check(CLI::Range(1.0, 24.0 * 60));
    app.add_option("--seed", options.seed,
                   "of the faults and the events; what the threads do in between is not repeated");
    app.add_option("--rate", options.events_a_second, "events a second")->check(CLI::Range(1, 5'000));
    app.add_option("--output", output, "where logs are kept, in a directory of the seed's");
    CLI11_PARSE(app, argc, argv);
    options.length = std::chrono::seconds(static_cast<long>(minutes * 60));
    options.output = std::filesystem::absolute(output) / std::to_string(options.seed);
    spdlog::set_level(spdlog::level::off);
    signal(SIGINT, interrupt);
    signal(SIGTERM, interrupt);
    signal(SIGPIPE, SIG_IGN);
    try {
        std::filesystem::create_directories(options.output);
        const auto surroundings = fault::Surroundings::enter();
        std::printf("again: ./dev fault --seed %llu --minutes %g --rate %d\n",
                    static_cast<unsigned long long>(options.seed), minutes, options.events_a_second);
        for (const auto& [kind, why] : surroundings.not_tried())
            std::printf("not tried: %s, since %s\n", std::string(fault::name_of(kind)).c_str(), why.c_str());
        if (!surroundings.host_names())
            std::printf(
                "not tried: how fast the shards of the killed are taken over, since hosts can not be "
                "named\n");
        std::fflush(stdout);
        return fault::run_rig(options, surroundings, interrupted) ? 0 : 1;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "the rig failed: %s\n", error.what());
        return 1;
    }
}
