#include "bench/site.hpp"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <thread>

#include "bench/bulk_rows.hpp"

namespace posthorn::bench {

namespace {
constexpr std::chrono::milliseconds time_for_duplicates{1'000};

std::size_t ledger_room(const Site::Options& options) {
    return static_cast<std::size_t>(options.loaded_seconds * most_deliveries_per_second) +
           options.other_deliveries + 1'000;
}
}  // namespace

void announce(std::string_view scenario, std::string_view what) {
    fmt::print(stderr, "bench: {}: {}\n", scenario, what);
}

Site::Site(Results& results, const Options& options) : results_(results), options_(options) {
    const auto& plan = results.plan;
    const auto endpoints = options.applications * options.endpoints_each;
    announce(options.scenario, fmt::format("starting, and making {} endpoints", endpoints));
    if (options.tls) certificates_ = std::make_unique<Certificates>(Receiver::first_host, endpoints);
    ledger_ = std::make_unique<Ledger>(ledger_room(options));
    receiver_ = std::make_unique<Receiver>(*ledger_, options.payload_bytes, endpoints, certificates_.get());
    installation_ = std::make_unique<Installation>(
        Installation::Options{plan.program, plan.directory, options.max_connections,
                              certificates_ ? certificates_->authority_pem() : std::string()});
    installation_->start_service();
    receiver_->check_signatures(installation_->make_endpoints(
                                    options.applications, options.endpoints_each,
                                    [this](auto i) { return url_of(i); }, options.http2),
                                plan.check_every);
}

std::string Site::url_of(std::uint32_t endpoint) const {
    return endpoint == options_.refusing_endpoint ? receiver_->refusing_url_of(endpoint)
                                                  : receiver_->url_of(endpoint);
}

Target Site::target(std::uint32_t first_endpoint, bool expected) const {
    const auto application = first_endpoint / options_.endpoints_each;
    return {installation_->paths().at(application), {first_endpoint, options_.endpoints_each, expected}};
}

std::vector<Target> Site::all_targets() const {
    std::vector<Target> targets;
    for (std::uint32_t i = 0; i < options_.applications; ++i)
        targets.push_back(target(i * options_.endpoints_each));
    return targets;
}

Generator::Options Site::generator_options() const {
    Generator::Options options;
    options.ports = installation_->ports();
    options.targets = all_targets();
    options.token = installation_->token();
    options.connections = results_.plan.connections;
    options.payload_bytes = options_.payload_bytes;
    return options;
}

Measurement Site::measure(Generator& generator, const Load& load, std::string_view name) {
    announce(options_.scenario, name);
    auto measured = bench::measure(generator, *receiver_, *ledger_, installation_->processes(), load);
    results_.tally.add(measured);
    results_.keep(options_.scenario, name, measured);
    return measured;
}

std::vector<Measurement> Site::measure_repeatedly(Generator& generator, const Load& load,
                                                  std::string_view name) {
    std::vector<Measurement> all;
    for (std::size_t i = 0; i < results_.plan.repetitions; ++i) all.push_back(measure(generator, load, name));
    return all;
}

void Site::warm_up_with(Generator& generator, std::optional<double> rate) {
    measure(generator, {.duration = warm_up, .rate = rate}, "warming up");
}

std::uint64_t Site::add_backlog(std::uint32_t endpoint, std::int64_t count, bool expected) {
    announce(options_.scenario, fmt::format("writing {} deliveries", count));
    const auto first = ledger().next();
    for (std::int64_t i = 0; i < count; ++i) ledger().take({endpoint, 1, expected}, now_ns());
    for (auto number = first; number < ledger().next(); ++number) ledger()[number].accepted_ns = now_ns();
    store_backlog(installation_->database(), url_of(endpoint), first, count, options_.payload_bytes);
    return first;
}

void Site::count_backlog(std::uint64_t first, std::uint64_t end) {
    std::uint64_t arrived = 0;
    for (auto number = first; number < end; ++number)
        if (ledger()[number].arrivals.load() > 0) ++arrived;
    const auto left = installation_->database().open().number("SELECT count(*) FROM delivery");
    const auto accounted_for = arrived + static_cast<std::uint64_t>(left);
    auto& tally = results_.tally;
    tally.sent += end - first;
    tally.arrived += arrived;
    tally.lost += end - first - std::min(end - first, accounted_for);
}

void Site::finish(std::uint64_t duplicates_allowed) {
    std::this_thread::sleep_for(time_for_duplicates);
    installation_->stop_services();
    receiver_->rethrow_failure();
    auto& tally = results_.tally;
    const auto& counts = receiver_->counts();
    const auto duplicates = duplicates_so_far(*ledger_);
    tally.duplicates += duplicates - std::min(duplicates, duplicates_allowed);
    tally.foreign += counts.foreign;
    tally.misdelivered += counts.misdelivered;
    tally.signatures += counts.signatures;
    tally.forged += counts.forged;
    if (tally.exit_status == 0) tally.exit_status = installation_->exit_status();
}

}  // namespace posthorn::bench
