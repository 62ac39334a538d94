#include <algorithm>
#include <fmt/format.h>
#include <random>

#include "bench/scenarios.hpp"
#include "bench/site.hpp"

namespace posthorn::bench {

namespace {
constexpr auto scenario = "isolation";
constexpr std::uint32_t slow_endpoints = 200;
constexpr std::uint32_t one_failing_of = 10;
constexpr int rounds = 5;  // of the others for one of the slow ones
constexpr Goal p99_ratio{Goal::Sense::at_most, 2}, memory_limit_mib{Goal::Sense::at_most, 200};
constexpr std::uint32_t shuffle_seed = 4;

// Endpoint numbers: the good ones, the failing, the slow, the dead one.
struct Cast {
    explicit Cast(std::uint32_t endpoints)
        : good(endpoints - endpoints / one_failing_of), slow(endpoints), dead(endpoints + slow_endpoints) {}
    std::uint32_t good;  // below this
    std::uint32_t slow;  // from here up to the dead one; below it are the failing
    std::uint32_t dead;
    bool is_good(std::uint32_t endpoint) const { return endpoint < good; }
};

std::vector<Target> good_targets(const Site& site, const Cast& cast) {
    std::vector<Target> targets;
    for (std::uint32_t i = 0; i < cast.good; ++i) targets.push_back(site.target(i));
    return targets;
}

// Every slow endpoint gets about as many as it can take.
std::vector<Target> mixed_targets(const Site& site, const Cast& cast) {
    std::vector<Target> targets;
    for (int round = 0; round < rounds; ++round)
        for (std::uint32_t i = 0; i < cast.slow; ++i) targets.push_back(site.target(i, cast.is_good(i)));
    for (auto i = cast.slow; i < cast.dead; ++i) targets.push_back(site.target(i));
    std::shuffle(targets.begin(), targets.end(), std::mt19937(shuffle_seed));
    return targets;
}

// So that the good ones get the plan's rate.
double mixed_rate(const Plan& plan, const Cast& cast, std::size_t targets) {
    return plan.rate * static_cast<double>(targets) / static_cast<double>(rounds * cast.good);
}

double median_p99(Site& site, const std::vector<Measurement>& all, const Cast& cast) {
    std::vector<double> each;
    for (const auto& one : all)
        each.push_back(
            arrival_times(site.ledger(), one.sent.first, one.sent.end, [&](std::uint32_t endpoint) {
                return cast.is_good(endpoint);
            }).p99);
    std::sort(each.begin(), each.end());
    return each.at((each.size() - 1) / 2);
}

double measure_alone(Site& site, const Plan& plan, const Cast& cast) {
    auto options = site.generator_options();
    options.targets = good_targets(site, cast);
    Generator generator(options, site.ledger());
    site.warm_up_with(generator, plan.rate);
    return median_p99(
        site,
        site.measure_repeatedly(generator, {.duration = plan.seconds, .rate = plan.rate}, "without them"),
        cast);
}

double measure_beside(Site& site, const Plan& plan, const Cast& cast) {
    auto options = site.generator_options();
    options.targets = mixed_targets(site, cast);
    const auto rate = mixed_rate(plan, cast, options.targets.size());
    Generator generator(options, site.ledger());
    site.warm_up_with(generator, rate);
    return median_p99(
        site, site.measure_repeatedly(generator, {.duration = plan.seconds, .rate = rate}, "beside them"),
        cast);
}

Site::Options site_options(const Plan& plan, const Cast& cast) {
    const auto seconds =
        2 * (3 + static_cast<double>(plan.repetitions) * static_cast<double>(plan.seconds.count()));
    Site::Options options;
    options.scenario = scenario;
    options.applications = cast.dead + 1;
    options.payload_bytes = plan.payload_bytes;
    options.other_deliveries = static_cast<std::uint64_t>(2 * seconds * plan.rate) +
                               static_cast<std::uint64_t>(plan.dead_deliveries);
    options.refusing_endpoint = cast.dead;
    return options;
}
}  // namespace

void run_isolation(Results& results) {
    const auto& plan = results.plan;
    const Cast cast(plan.endpoints);
    Site site(results, site_options(plan, cast));
    for (auto i = cast.good; i < cast.slow; ++i) site.receiver().behave(i, Manner::failing);
    for (auto i = cast.slow; i < cast.dead; ++i) site.receiver().behave(i, Manner::slow);
    const auto alone = measure_alone(site, plan, cast);
    site.installation().stop_services();
    site.add_backlog(cast.dead, plan.dead_deliveries, false);
    site.installation().start_service();
    const auto beside = measure_beside(site, plan, cast);
    const auto left = site.installation().database().open().number("SELECT count(*) FROM delivery");
    const auto memory = site.installation().peak_resident_mib();
    site.finish();
    const auto at_rate = fmt::format("p99 of the good ones at {:.0f}/s", plan.rate);
    results.add(scenario, at_rate + ", without the others", alone, "ms");
    results.add(scenario, at_rate + ", beside them", beside, "ms");
    results.add(scenario, "times as long beside them", beside / alone, "", p99_ratio);
    results.add(scenario, "memory of the service", memory, "MiB", memory_limit_mib);
    results.add(scenario, "deliveries that were live at the end", static_cast<double>(left), "");
}

}  // namespace posthorn::bench
