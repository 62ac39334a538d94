#include <algorithm>
#include <fmt/format.h>

#include "bench/scenarios.hpp"
#include "bench/site.hpp"

namespace posthorn::bench {

namespace {
constexpr auto scenario = "fan_out";
constexpr std::uint32_t wide = 1'000, narrow = 10;
constexpr std::uint32_t narrow_applications = 100;
constexpr int warm_messages = 3, wide_messages = 15;
constexpr Goal sustained{Goal::Sense::at_least, 99};

// One message, as soon as it may be.
constexpr std::chrono::milliseconds one_message{1};
constexpr double one_rate = 1;

double milliseconds_to_all(Site& site, Generator& generator) {
    return 1'000 *
           site.measure(generator, {.duration = one_message, .rate = one_rate}, "one message").seconds;
}

void measure_wide(Results& results) {
    Site::Options options;
    options.scenario = scenario;
    options.applications = 1;
    options.endpoints_each = wide;
    options.payload_bytes = results.plan.payload_bytes;
    options.other_deliveries = wide * (warm_messages + wide_messages);
    Site site(results, options);
    Generator generator(site.generator_options(), site.ledger());
    for (int i = 0; i < warm_messages; ++i) milliseconds_to_all(site, generator);
    std::vector<double> times;
    for (int i = 0; i < wide_messages; ++i) times.push_back(milliseconds_to_all(site, generator));
    site.finish();
    std::sort(times.begin(), times.end());
    results.add(scenario, fmt::format("a message to {} endpoints: until all have it, median", wide),
                times[times.size() / 2], "ms");
    results.add(scenario, fmt::format("a message to {} endpoints: until all have it, max", wide),
                times.back(), "ms");
}

void measure_narrow(Results& results) {
    const auto& plan = results.plan;
    const auto seconds =
        3 + static_cast<double>(plan.repetitions) * static_cast<double>(plan.seconds.count());
    Site::Options options;
    options.scenario = scenario;
    options.applications = narrow_applications;
    options.endpoints_each = narrow;
    options.payload_bytes = plan.payload_bytes;
    options.other_deliveries = static_cast<std::uint64_t>((seconds + 1) * plan.rate * narrow);
    Site site(results, options);
    Generator generator(site.generator_options(), site.ledger());
    site.warm_up_with(generator, plan.rate);
    const auto all = site.measure_repeatedly(generator, {.duration = plan.seconds, .rate = plan.rate},
                                             fmt::format("to {} endpoints each", narrow));
    site.finish();
    const auto& measured = median_throughput(all);
    const auto name = fmt::format("{:.0f}/s to {} endpoints each: ", plan.rate, narrow);
    results.add(scenario, name + "delivered", measured.delivered_per_second, "deliveries/s");
    results.add(scenario, name + "of what was sent",
                100 * measured.delivered_per_second / (plan.rate * narrow), "%", sustained);
    results.add(scenario, name + "p99 to arrival", measured.due_to_arrived.p99, "ms");
}
}  // namespace

void run_fan_out(Results& results) {
    measure_wide(results);
    measure_narrow(results);
}

}  // namespace posthorn::bench
