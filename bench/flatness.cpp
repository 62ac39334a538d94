#include <algorithm>
#include <fmt/format.h>

#include "bench/bulk_rows.hpp"
#include "bench/scenarios.hpp"
#include "bench/site.hpp"

namespace posthorn::bench {

namespace {
constexpr auto scenario = "flatness";
constexpr Goal full_database{Goal::Sense::at_least, 85}, open_transaction{Goal::Sense::at_least, 75};
constexpr Goal recovery_share{Goal::Sense::at_least, 60};
constexpr std::int64_t slowest_recovery = 1'000;  // deliveries a second: what takes longer is not waited for
constexpr std::chrono::seconds shortest_recovery_limit{60};

std::chrono::seconds recovery_limit(const Plan& plan) {
    return std::max(shortest_recovery_limit, std::chrono::seconds(plan.backlog / slowest_recovery));
}

double percent(double rate, double of) { return 100 * rate / of; }

// Without the endpoint that returns.
Generator::Options live_options(const Site& site) {
    auto options = site.generator_options();
    options.targets.pop_back();
    return options;
}

double full_rate(Site& site, const Plan& plan, std::string_view name) {
    Generator generator(live_options(site), site.ledger());
    site.warm_up_with(generator);
    const auto all = site.measure_repeatedly(generator, {.duration = plan.seconds}, name);
    return median_throughput(all).delivered_per_second;
}

// While a transaction that has seen the database stays open: what is deleted meanwhile can not be cleaned up.
// The rate of the last measurement before its end.
double rate_beside_transaction(Site& site, const Plan& plan) {
    auto session = site.installation().database().open();
    session.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
    session.number("SELECT count(*) FROM delivery");
    const auto end = now_ns() + std::chrono::nanoseconds(plan.hold).count();
    Generator generator(live_options(site), site.ledger());
    double rate = 0;
    do {
        rate = site.measure(generator, {.duration = plan.seconds}, "beside an open transaction")
                   .delivered_per_second;
    } while (now_ns() < end);
    session.run("ROLLBACK");
    return rate;
}

struct Recovery {
    std::uint64_t first = 0, end = 0;  // numbers of the backlog's deliveries
    double per_second = 0;
    double first_after_s = 0;  // from the endpoint's return to the first arrival
    double live_p99_ms = 0, live_p99_before_ms = 0;
};

// Sends live traffic until the backlog is gone, or for as long as it may take.
Measurement drain(Site& site, Generator& generator, const Plan& plan, std::uint64_t first,
                  std::uint64_t end) {
    auto number = first;
    const auto left = [&site, number, end]() mutable {
        while (number < end && site.ledger()[number].arrivals.load() > 0) ++number;
        return number < end;
    };
    return site.measure(generator, {.duration = recovery_limit(plan), .rate = plan.rate, .keep_going = left},
                        "recovery");
}

double live_p99(Site& site, const Plan& plan) {
    Generator generator(live_options(site), site.ledger());
    return site.measure(generator, {.duration = plan.seconds, .rate = plan.rate}, "before recovery")
        .due_to_arrived.p99;
}

Recovery measure_recovery(Site& site, const Plan& plan, std::uint32_t endpoint) {
    Recovery result;
    result.live_p99_before_ms = live_p99(site, plan);
    site.receiver().behave(endpoint, Manner::failing);
    site.installation().stop_services();
    const auto first = result.first = site.add_backlog(endpoint, plan.backlog, true);
    const auto end = result.end = site.ledger().next();
    site.installation().start_service();
    Generator generator(live_options(site), site.ledger());
    site.warm_up_with(generator, plan.rate);
    const auto returned_ns = now_ns();
    site.receiver().behave(endpoint, Manner::prompt);
    result.live_p99_ms = drain(site, generator, plan, first, end).due_to_arrived.p99;
    std::vector<std::int64_t> arrivals;
    for (auto number = first; number < end; ++number)
        if (const auto arrived = site.ledger()[number].arrived_ns.load(); arrived != 0)
            arrivals.push_back(arrived);
    if (arrivals.empty()) return result;
    const auto [earliest, latest] = std::minmax_element(arrivals.begin(), arrivals.end());
    result.first_after_s = static_cast<double>(*earliest - returned_ns) / 1e9;
    result.per_second = static_cast<double>(arrivals.size()) * 1e9 /
                        static_cast<double>(std::max<std::int64_t>(*latest - *earliest, 1));
    return result;
}

Site::Options site_options(const Plan& plan) {
    const auto seconds = static_cast<double>(plan.seconds.count());
    Site::Options options;
    options.scenario = scenario;
    options.applications = plan.endpoints + 1;  // the last one is the one that returns
    options.payload_bytes = plan.payload_bytes;
    options.loaded_seconds = 2 * (3 + static_cast<double>(plan.repetitions) * seconds) +
                             static_cast<double>(plan.hold.count()) + seconds;
    const auto recovery_seconds = static_cast<double>(recovery_limit(plan).count()) + 3 + seconds;
    options.other_deliveries =
        static_cast<std::uint64_t>(plan.backlog) + static_cast<std::uint64_t>(plan.rate * recovery_seconds);
    return options;
}
}  // namespace

void run_flatness(Results& results) {
    const auto& plan = results.plan;
    Site site(results, site_options(plan));
    const auto empty = full_rate(site, plan, "empty database");
    announce(scenario, fmt::format("writing {} messages and attempts", plan.stored));
    store_history(site.installation().database(), plan.stored, plan.payload_bytes);
    const auto full = full_rate(site, plan, "full database");
    const auto held = rate_beside_transaction(site, plan);
    const auto recovery = measure_recovery(site, plan, plan.endpoints);
    site.finish();
    site.count_backlog(recovery.first, recovery.end);
    results.add(scenario, "delivered, empty database", empty, "messages/s");
    results.add(scenario, fmt::format("delivered, {} messages and attempts stored", plan.stored), full,
                "messages/s");
    results.add(scenario, "full database, of the empty one's rate", percent(full, empty), "%", full_database);
    results.add(scenario, fmt::format("delivered, transaction open for {} s", plan.hold.count()), held,
                "messages/s");
    results.add(scenario, "beside it, of the rate without", percent(held, full), "%", open_transaction);
    results.add(scenario, fmt::format("backlog of {}: delivered", plan.backlog), recovery.per_second,
                "messages/s");
    results.add(scenario, "backlog, of the full rate", percent(recovery.per_second, full), "%",
                recovery_share);
    results.add(scenario, "from the return to the backlog's first arrival", recovery.first_after_s, "s");
    results.add(scenario, fmt::format("live p99 at {:.0f}/s before the return", plan.rate),
                recovery.live_p99_before_ms, "ms");
    results.add(scenario, fmt::format("live p99 at {:.0f}/s during recovery", plan.rate),
                recovery.live_p99_ms, "ms");
}

}  // namespace posthorn::bench
