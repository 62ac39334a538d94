// The deterministic simulation: ./dev sim
#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <spdlog/spdlog.h>
#include <thread>

#include "sim/scenario.hpp"

namespace sim = posthorn::sim;

namespace {

struct Totals {
    std::size_t seeds = 0, messages = 0, sends = 0, duplicates = 0, faults = 0, steps = 0, failed = 0;

    void add(const sim::Report& report) {
        ++seeds;
        messages += report.messages;
        sends += report.sends;
        duplicates += report.duplicates;
        faults += report.faults;
        steps += report.steps;
        if (!report.violations.empty()) ++failed;
    }
};

void print_failure(const sim::Report& report) {
    std::printf("seed %llu fails; again: ./dev sim --seed %llu --seeds 1\n",
                static_cast<unsigned long long>(report.seed), static_cast<unsigned long long>(report.seed));
    for (const auto& violation : report.violations) std::printf("  %s\n", violation.c_str());
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    std::uint64_t first = 1, seeds = 10'000;
    unsigned threads = std::max(1U, std::thread::hardware_concurrency());
    bool log = false;
    CLI::App app{"Posthorn's delivery engine on simulated time, database, network and receivers"};
    app.add_option("--seed", first, "the first seed")->capture_default_str();
    app.add_option("--seeds", seeds, "how many")->capture_default_str();
    app.add_option("--threads", threads, "at once")->capture_default_str();
    app.add_flag("--log", log, "what happened, and the service's own log");
    CLI11_PARSE(app, argc, argv);
    spdlog::set_pattern("%v");
    spdlog::set_level(log ? spdlog::level::debug : spdlog::level::off);

    std::atomic<std::uint64_t> next{first};
    std::mutex mutex;
    Totals totals;
    std::vector<std::jthread> workers;
    for (unsigned i = 0; i < threads; ++i)
        workers.emplace_back([&] {
            for (auto seed = next++; seed < first + seeds; seed = next++) {
                const auto report = sim::run_scenario(seed);
                const std::scoped_lock lock(mutex);
                totals.add(report);
                if (!report.violations.empty()) print_failure(report);
            }
        });
    workers.clear();
    std::printf(
        "%zu seeds: %zu messages, %zu requests, %zu of them duplicates with a cause, %zu faults, %zu steps; "
        "%zu seeds failed\n",
        totals.seeds, totals.messages, totals.sends, totals.duplicates, totals.faults, totals.steps,
        totals.failed);
    return totals.failed == 0 ? 0 : 1;
}
