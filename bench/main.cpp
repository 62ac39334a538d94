// posthorn_bench: how much the service delivers, and how fast, on this machine. docs/performance.md explains
// it.
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <csignal>
#include <cstdio>
#include <fmt/format.h>
#include <fstream>
#include <thread>

#include "bench/installation.hpp"
#include "bench/report.hpp"
#include "cli/command.hpp"

namespace posthorn::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds warm_up{3};
constexpr std::chrono::milliseconds time_for_duplicates{1'000};
constexpr double most_messages_per_second = 60'000, most_without_service = 400'000;
constexpr int exit_interrupted = 130;

struct Request {
    Plan plan;
    fs::path program, directory = "/var/tmp", json_file;
};

void add_options(CLI::App& app, Request& request, std::string& mode, int& seconds) {
    auto& plan = request.plan;
    app.add_option("mode", mode, "quick: each measurement once and for 10 s")
        ->check(CLI::IsMember({"quick"}));
    app.add_option("--seconds", seconds, "of each measurement (default 15)")->check(CLI::Range(1, 3600));
    app.add_option("--repeat", plan.repetitions, "of which the median is shown (default 3)")
        ->check(CLI::Range(1, 100));
    app.add_option("--rate", plan.rate, "messages/s of the latency (default 1000)")
        ->check(CLI::Range(1.0, 20e3));
    app.add_option("--endpoints", plan.endpoints, "each in an application of its own (default 1000)")
        ->check(CLI::Range(std::uint32_t{1}, most_endpoints));
    app.add_option("--connections", plan.connections, "of the generator (default 128)")
        ->check(CLI::Range(1, 10'000));
    app.add_option("--payload-bytes", plan.payload_bytes, "(default 500)")
        ->check(CLI::Range(smallest_payload_bytes, std::size_t{60'000}));
    app.add_option("--check-every", plan.check_every, "one signature in so many is checked (default 100)")
        ->check(CLI::Range(1, 1'000'000));
    app.add_flag("!--no-latency", plan.measure_latency, "throughput alone");
    app.add_flag("!--no-throughput", plan.measure_throughput, "latency alone");
    app.add_flag("--without-service", plan.without_service,
                 "the generator straight to the receiver: what the bench itself can do and costs");
    app.add_option("--json", request.json_file, "also write everything there");
    app.add_option("--program", request.program, "(default: the posthorn beside this program)");
    app.add_option("--directory", request.directory, "on a disk, for the database (default /var/tmp)");
}

Ledger make_ledger(const Plan& plan) {
    const auto seconds = static_cast<double>(plan.seconds.count()) * static_cast<double>(plan.repetitions);
    const auto fast = static_cast<double>(warm_up.count()) + (plan.measure_throughput ? seconds : 0);
    const auto most = plan.without_service ? most_without_service : most_messages_per_second;
    return Ledger(static_cast<std::size_t>(fast * most + seconds * plan.rate) + 1'000);
}

Generator::Options generator_options(const Plan& plan, const Receiver& receiver,
                                     const Installation* installation) {
    Generator::Options options;
    options.connections = plan.connections;
    options.payload_bytes = plan.payload_bytes;
    options.bare = plan.without_service;
    options.port = installation ? installation->port() : receiver.port();
    if (installation) {
        options.token = installation->token();
        options.paths = installation->paths();
    } else {
        for (std::uint32_t i = 0; i < plan.endpoints; ++i) options.paths.push_back(Receiver::path_of(i));
    }
    return options;
}

void add_to_totals(Results& results, const Measurement& measured) {
    results.sent += measured.sent.end - measured.sent.first;
    results.arrived += measured.arrived;
    results.lost += measured.lost();
    for (const auto& [status, count] : measured.sent.refused) results.refused += count;
}

void complete_totals(Results& results, const Receiver& receiver, const Ledger& ledger) {
    std::this_thread::sleep_for(time_for_duplicates);
    receiver.rethrow_failure();
    results.duplicates = duplicates_so_far(ledger);
    results.foreign = receiver.counts().foreign;
    results.misdelivered = receiver.counts().misdelivered;
    results.signatures = receiver.counts().signatures;
    results.forged = receiver.counts().forged;
}

void measure_all(Results& results, Generator& generator, const Receiver& receiver, const Ledger& ledger,
                 pid_t service) {
    const auto& plan = results.plan;
    const auto once = [&](std::string_view what, const Load& load) {
        fmt::print(stderr, "bench: {}\n", what);
        auto measured = measure(generator, receiver, ledger, service, load);
        add_to_totals(results, measured);
        return measured;
    };
    once("warming up", {warm_up, std::nullopt});
    for (std::size_t i = 0; plan.measure_latency && i < plan.repetitions; ++i)
        results.latency.push_back(once("latency", {plan.seconds, plan.rate}));
    for (std::size_t i = 0; plan.measure_throughput && i < plan.repetitions; ++i)
        results.throughput.push_back(once("throughput", {plan.seconds, std::nullopt}));
}

Results run(const Request& request) {
    Results results;
    results.plan = request.plan;
    results.machine = this_machine();
    raise_descriptor_limit();
    auto ledger = make_ledger(request.plan);
    Receiver receiver(ledger, request.plan.payload_bytes, request.plan.endpoints);
    std::unique_ptr<Installation> installation;
    if (!request.plan.without_service) {
        fmt::print(stderr, "bench: starting the service and making {} endpoints\n", request.plan.endpoints);
        installation =
            std::make_unique<Installation>(Installation::Options{request.program, request.directory});
        receiver.check_signatures(
            installation->make_endpoints(request.plan.endpoints, [&](auto i) { return receiver.url_of(i); }),
            request.plan.check_every);
    }
    {
        Generator generator(generator_options(request.plan, receiver, installation.get()), ledger);
        measure_all(results, generator, receiver, ledger, installation ? installation->pid() : 0);
    }
    if (installation) {
        results.peak_resident_mib = peak_resident_mib(installation->pid());
        results.exit_status = installation->stop();
        if (const auto log = installation->log(); !log.empty()) fmt::print(stderr, "{}", log);
    }
    complete_totals(results, receiver, ledger);
    return results;
}

void note_interrupt(int) { interrupted = true; }

int run_reporting(const Request& request) {
    try {
        const auto results = run(request);
        fmt::print("{}", table_of(results));
        if (!request.json_file.empty()) {
            std::ofstream file(request.json_file);
            file << boost::json::serialize(json_of(results)) << '\n';
            if (!file.flush()) throw std::runtime_error("can not write " + request.json_file.string());
        }
        return results.flawless() ? cli::exit_ok : cli::exit_failed;
    } catch (const Interrupted&) {
        return exit_interrupted;
    } catch (const std::exception& error) {
        fmt::print(stderr, "bench: {}\n", error.what());
        return cli::exit_failed;
    }
}

int main_of_bench(int argc, char** argv) {
    Request request;
    request.program = fs::read_symlink("/proc/self/exe").parent_path() / "posthorn";
    std::string mode;
    int seconds = 0;
    CLI::App app(
        "Measures posthorn on this machine: the service with a PostgreSQL of its own, a generator and a "
        "receiver.",
        "posthorn_bench");
    add_options(app, request, mode, seconds);
    CLI11_PARSE(app, argc, argv);
    if (mode == "quick") {
        if (app.count("--repeat") == 0) request.plan.repetitions = 1;
        if (seconds == 0) seconds = 10;
    }
    if (seconds != 0) request.plan.seconds = std::chrono::seconds(seconds);
    std::signal(SIGINT, note_interrupt);
    std::signal(SIGTERM, note_interrupt);
    std::signal(SIGPIPE, SIG_IGN);
    return run_reporting(request);
}
}  // namespace
}  // namespace posthorn::bench

int main(int argc, char** argv) { return posthorn::bench::main_of_bench(argc, argv); }
