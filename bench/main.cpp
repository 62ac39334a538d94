// posthorn_bench: how much the service delivers, and how fast, on this machine. docs/performance.md explains
// it.
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <csignal>
#include <cstdio>
#include <fmt/format.h>
#include <fstream>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "bench/event.hpp"
#include "bench/generator.hpp"
#include "bench/receiver.hpp"
#include "bench/scenarios.hpp"
#include "bench/sockets.hpp"
#include "cli/command.hpp"
#include "cli/descriptor_limit.hpp"

namespace posthorn::bench {
namespace {

namespace fs = std::filesystem;

constexpr int exit_interrupted = 130;
constexpr std::string_view quick = "quick";

struct Request {
    Plan plan;
    std::vector<std::string> names;
    fs::path json_file;
};

void add_options(CLI::App& app, Request& request) {
    auto& plan = request.plan;
    std::vector<std::string> names{std::string(quick)};
    for (const auto& scenario : all_scenarios()) names.emplace_back(scenario.name);
    app.add_option("scenarios", request.names,
                   "those to run, or quick (default: all but storage_limit and bench_itself)")
        ->check(CLI::IsMember(names));
    app.add_option("--seconds", plan.seconds, "of each measurement (default 8; quick 5)")
        ->check(CLI::Range(1, 3600));
    app.add_option("--repeat", plan.repetitions, "of which the median counts (default 3; quick 2)")
        ->check(CLI::Range(1, 100));
    app.add_option("--rate", plan.rate, "messages/s where latency is measured (default 1000)")
        ->check(CLI::Range(1.0, 20e3));
    app.add_option("--endpoints", plan.endpoints, "each in an application of its own (default 1000)")
        ->check(CLI::Range(std::uint32_t{10}, most_endpoints - 1'000));
    app.add_option("--connections", plan.connections, "of the generator (default 128)")
        ->check(CLI::Range(1, 10'000));
    app.add_option("--payload-bytes", plan.payload_bytes, "(default 500)")
        ->check(CLI::Range(smallest_payload_bytes, std::size_t{60'000}));
    app.add_option("--check-every", plan.check_every, "one signature in so many is checked (default 100)")
        ->check(CLI::Range(1, 1'000'000));
    app.add_option("--dead", plan.dead_deliveries, "isolation: due at the dead endpoint (default 1000000)")
        ->check(CLI::Range(1, 100'000'000));
    app.add_option("--stored", plan.stored, "flatness: messages and attempts (default 2000000)")
        ->check(CLI::Range(1, 1'000'000'000));
    app.add_option("--hold", plan.hold, "flatness: seconds that a transaction stays open (default 30)")
        ->check(CLI::Range(1, 86'400));
    app.add_option("--backlog", plan.backlog, "flatness: of the endpoint that returns (default 200000)")
        ->check(CLI::Range(1, 100'000'000));
    app.add_option("--json", request.json_file, "also write everything there");
    app.add_option("--program", plan.program, "(default: the posthorn beside this program)");
    app.add_option("--directory", plan.directory, "on a disk, for the database (default /var/tmp)");
}

bool is_wanted(const Scenario& scenario, const std::vector<std::string>& names) {
    if (names.empty()) return scenario.in_full;
    const auto named = [&](std::string_view name) {
        return std::find(names.begin(), names.end(), name) != names.end();
    };
    return named(scenario.name) || (scenario.in_quick && named(quick));
}

Results run(const Request& request) {
    Results results;
    results.plan = request.plan;
    results.machine = this_machine();
    // Room for a connection to every endpoint. Children inherit it.
    if (!cli::raise_descriptor_limit()) fail_with_errno("the limit of descriptors");
    const auto begin = now_ns();
    for (const auto& scenario : all_scenarios()) {
        if (!is_wanted(scenario, request.names)) continue;
        throw_if_interrupted();
        scenario.run(results);
    }
    results.seconds = static_cast<double>(now_ns() - begin) / 1e9;
    return results;
}

void note_interrupt(int) { interrupted = true; }

void write_json(const fs::path& path, const Results& results) {
    std::ofstream file(path);
    file << boost::json::serialize(json_of(results)) << '\n';
    if (!file.flush()) throw std::runtime_error("can not write " + path.string());
}

int run_reporting(const Request& request) {
    try {
        const auto results = run(request);
        fmt::print("{}", table_of(results));
        if (!request.json_file.empty()) write_json(request.json_file, results);
        return results.tally.flawless() ? cli::exit_ok : cli::exit_failed;
    } catch (const Interrupted&) {
        return exit_interrupted;
    } catch (const std::exception& error) {
        fmt::print(stderr, "bench: {}\n", error.what());
        return cli::exit_failed;
    }
}

std::string list_of_scenarios() {
    std::string text = "Scenarios:\n";
    for (const auto& scenario : all_scenarios())
        text += fmt::format("  {:<16}{}{}\n", scenario.name, scenario.measures,
                            scenario.in_quick ? " (quick)" : "");
    return text;
}

int main_of_bench(int argc, char** argv) {
    Request request;
    request.plan.program = fs::read_symlink("/proc/self/exe").parent_path() / "posthorn";
    CLI::App app(
        "Measures posthorn on this machine: services, a PostgreSQL of the bench's own, a generator and a "
        "receiver.",
        "posthorn_bench");
    app.footer(list_of_scenarios());
    add_options(app, request);
    CLI11_PARSE(app, argc, argv);
    if (std::find(request.names.begin(), request.names.end(), quick) != request.names.end()) {
        if (app.count("--seconds") == 0) request.plan.seconds = std::chrono::seconds(5);
        if (app.count("--repeat") == 0) request.plan.repetitions = 2;
    }
    spdlog::set_default_logger(spdlog::stderr_logger_mt("bench"));
    spdlog::set_level(spdlog::level::warn);
    std::signal(SIGINT, note_interrupt);
    std::signal(SIGTERM, note_interrupt);
    std::signal(SIGPIPE, SIG_IGN);
    return run_reporting(request);
}
}  // namespace
}  // namespace posthorn::bench

int main(int argc, char** argv) { return posthorn::bench::main_of_bench(argc, argv); }
