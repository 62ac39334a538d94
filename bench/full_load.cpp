// Scenarios storage_limit, throughput, latency and bench_itself.
#include <algorithm>
#include <fmt/format.h>

#include "bench/scenarios.hpp"
#include "bench/site.hpp"
#include "bench/storage_limit.hpp"

namespace posthorn::bench {

namespace {
constexpr std::size_t batch_request_messages = 100;
constexpr Goal single_share{Goal::Sense::at_least, 50}, batch_share{Goal::Sense::at_least, 65};
constexpr Goal most_statements{Goal::Sense::at_most, 0.05};
constexpr Goal p50_limit_ms{Goal::Sense::at_most, 4}, p99_limit_ms{Goal::Sense::at_most, 20};
constexpr double most_without_service = 400'000;  // messages a second

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values.at((values.size() - 1) / 2);
}

double share(double rate, double limit) { return 100 * rate / limit; }

double loaded_seconds(const Plan& plan, double measurements) {
    const auto warm = std::chrono::duration<double>(warm_up).count();
    return measurements *
           (warm + static_cast<double>(plan.repetitions) * static_cast<double>(plan.seconds.count()));
}

Site::Options site_options(const Plan& plan, std::string_view scenario, double measurements) {
    Site::Options options;
    options.scenario = scenario;
    options.applications = plan.endpoints;
    options.payload_bytes = plan.payload_bytes;
    options.loaded_seconds = loaded_seconds(plan, measurements);
    return options;
}

// CPU a message, in microseconds; the JSON has the rest.
void add_cpu(Results& results, const Measurement& measured) {
    const auto each = 1e6 / static_cast<double>(std::max<std::uint64_t>(measured.arrived, 1));
    results.add("throughput", "CPU a message: service", measured.cpu.service * each, "us");
    results.add("throughput", "CPU a message: PostgreSQL", measured.cpu.postgres * each, "us");
    results.add("throughput", "CPU a message: generator and receiver", measured.cpu.bench * each, "us");
    results.add("throughput", "CPU used by everything else here",
                100 * measured.cpu.others / (measured.cpu_window_seconds * results.machine.processors), "%");
}

// What a round of each measures.
struct Rounds {
    std::vector<double> limit, statements;
    std::vector<Measurement> single, batch;
};

void measure_round(Results& results, Site& site, StorageLimit& limit, Generator& single, Generator& batch,
                   Rounds& rounds) {
    const Load full{.duration = results.plan.seconds};
    announce("throughput", "storage limit");
    rounds.limit.push_back(limit.measure(results.plan.seconds));
    results.keep("throughput", "storage limit", rounds.limit.back());
    const auto& database = site.installation().database();
    const auto before = database.statements_executed();
    rounds.single.push_back(site.measure(single, full, "single requests"));
    rounds.statements.push_back(
        static_cast<double>(database.statements_executed() - before) /
        static_cast<double>(std::max<std::uint64_t>(rounds.single.back().arrived, 1)));
    results.keep("throughput", "statements a message", rounds.statements.back());
    rounds.batch.push_back(site.measure(batch, full, "batch requests"));
}

void add_figures(Results& results, const Rounds& rounds) {
    const auto limit = median(rounds.limit);
    const auto& single = median_throughput(rounds.single);
    const auto& batch = median_throughput(rounds.batch);
    results.add("throughput", "storage limit", limit, "messages/s");
    results.add("throughput", "single requests, delivered", single.delivered_per_second, "messages/s");
    results.add("throughput", "single requests, accepted", single.accepted_per_second, "messages/s");
    results.add("throughput", "single requests, of the storage limit",
                share(single.delivered_per_second, limit), "%", single_share);
    results.add("throughput", fmt::format("batches of {}, delivered", batch_request_messages),
                batch.delivered_per_second, "messages/s");
    results.add("throughput", fmt::format("batches of {}, of the storage limit", batch_request_messages),
                share(batch.delivered_per_second, limit), "%", batch_share);
    results.add("throughput", "SQL statements a message", median(rounds.statements), "", most_statements);
    add_cpu(results, single);
}
}  // namespace

void run_storage_limit(Results& results) {
    const auto& plan = results.plan;
    const TemporaryDirectory directory(plan.directory);
    const Database database(directory.path() / "database", 100);
    StorageLimit limit(database, plan.endpoints, plan.payload_bytes);
    std::vector<double> rates;
    for (std::size_t i = 0; i < plan.repetitions; ++i) {
        throw_if_interrupted();
        announce("storage_limit", "measuring");
        rates.push_back(limit.measure(plan.seconds));
        results.keep("storage_limit", "messages/s", rates.back());
    }
    results.add("storage_limit", "PostgreSQL alone", median(rates), "messages/s");
}

// In turns: what the machine does meanwhile hits all of them.
void run_throughput(Results& results) {
    Site site(results, site_options(results.plan, "throughput", 2));
    StorageLimit limit(site.installation().database(), results.plan.endpoints, results.plan.payload_bytes);
    auto options = site.generator_options();
    Generator single(options, site.ledger());
    options.messages_per_request = batch_request_messages;
    Generator batch(options, site.ledger());
    site.warm_up_with(single);
    Rounds rounds;
    for (std::size_t i = 0; i < results.plan.repetitions; ++i)
        measure_round(results, site, limit, single, batch, rounds);
    site.finish();
    add_figures(results, rounds);
}

void run_latency(Results& results) {
    const auto& plan = results.plan;
    Site site(results, site_options(plan, "latency", 1));
    Generator generator(site.generator_options(), site.ledger());
    site.warm_up_with(generator);
    const auto all =
        site.measure_repeatedly(generator, {.duration = plan.seconds, .rate = plan.rate}, "open loop");
    site.finish();
    const auto& measured = median_latency(all);
    const auto at_rate = fmt::format("at {:.0f}/s", plan.rate);
    results.add("latency", "request to arrival, p50, " + at_rate, measured.due_to_arrived.p50, "ms",
                p50_limit_ms);
    results.add("latency", "request to arrival, p99, " + at_rate, measured.due_to_arrived.p99, "ms",
                p99_limit_ms);
    results.add("latency", "request to arrival, max, " + at_rate, measured.due_to_arrived.max, "ms");
    results.add("latency", "request to 202, p99, " + at_rate, measured.due_to_accepted.p99, "ms");
}

void run_bench_itself(Results& results) {
    const auto& plan = results.plan;
    const auto seconds = static_cast<double>(plan.seconds.count());
    Ledger ledger(static_cast<std::size_t>(seconds * (most_without_service + plan.rate)) + 1'000);
    const Receiver receiver(ledger, plan.payload_bytes, plan.endpoints);
    Generator::Options options{.ports = {receiver.port()},
                               .targets = {},
                               .token = "",
                               .connections = plan.connections,
                               .payload_bytes = plan.payload_bytes,
                               .bare = true};
    for (std::uint32_t i = 0; i < plan.endpoints; ++i)
        options.targets.push_back({Receiver::path_of(i), {i, 1, true}});
    Generator generator(options, ledger);
    const auto full = measure(generator, receiver, ledger, {}, {.duration = plan.seconds});
    const auto paced =
        measure(generator, receiver, ledger, {}, {.duration = plan.seconds, .rate = plan.rate});
    for (const auto* measured : {&full, &paced}) results.tally.add(*measured);
    results.tally.duplicates += duplicates_so_far(ledger);
    results.keep("bench_itself", "closed loop", full);
    results.keep("bench_itself", "open loop", paced);
    results.add("bench_itself", "closed loop", full.delivered_per_second, "messages/s");
    results.add("bench_itself", "CPU a message",
                full.cpu.bench * 1e6 / static_cast<double>(std::max<std::uint64_t>(full.arrived, 1)), "us");
    results.add("bench_itself", "request to arrival, p99", paced.due_to_arrived.p99, "ms");
}

}  // namespace posthorn::bench
