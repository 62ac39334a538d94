#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>
#include <thread>

#include "bench/scenarios.hpp"
#include "bench/site.hpp"
#include "domain/shard.hpp"

namespace posthorn::bench {

namespace {
constexpr auto scenario = "scaling";
constexpr std::array<std::size_t, 3> process_counts{1, 2, 4};
constexpr Goal total_rate{Goal::Sense::at_least, 90}, takeover_limit_s{Goal::Sense::at_most, 6};
// How even "evenly" is: no process does less than this share of an equal part.
constexpr Goal evenness{Goal::Sense::at_least, 80};
constexpr std::chrono::seconds balance_limit{60}, until_kill{3}, after_kill{12};
constexpr std::chrono::milliseconds balance_poll{100};
constexpr int max_connections = 300;          // each process opens some dozens
constexpr std::size_t connections_times = 4;  // as many for each of four processes as one has elsewhere

std::map<int, Uuid> owners_of_shards(const Database& database) {
    const auto rows =
        database.open().query("SELECT shard, process_id FROM shard_lease WHERE process_id IS NOT NULL");
    std::map<int, Uuid> owners;
    for (int row = 0; row < rows.size(); ++row)
        owners[rows.get<std::int16_t>(row, 0)] = rows.get<Uuid>(row, 1);
    return owners;
}

// By endpoint number, which is the end of its URL.
std::map<std::uint32_t, int> shards_of_endpoints(const Database& database) {
    const auto rows =
        database.open().query("SELECT substring(url FROM '[0-9]+$')::int8, shard FROM endpoint");
    std::map<std::uint32_t, int> shards;
    for (int row = 0; row < rows.size(); ++row)
        shards[static_cast<std::uint32_t>(rows.get<std::int64_t>(row, 0))] = rows.get<std::int16_t>(row, 1);
    return shards;
}

bool is_balanced(const std::map<int, Uuid>& owners, std::size_t processes) {
    std::map<Uuid, int> owned;
    for (const auto& [shard, owner] : owners) ++owned[owner];
    if (owners.size() != domain::shard_count || owned.size() != processes) return false;
    const auto [least, most] = std::minmax_element(
        owned.begin(), owned.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    return most->second - least->second <= 1;
}

void await_balance(const Database& database, std::size_t processes) {
    const auto deadline = std::chrono::steady_clock::now() + balance_limit;
    while (!is_balanced(owners_of_shards(database), processes)) {
        throw_if_interrupted();
        if (std::chrono::steady_clock::now() > deadline)
            throw std::runtime_error("the processes have not shared out the shards within a minute");
        std::this_thread::sleep_for(balance_poll);
    }
}

// What the process with the least work delivered, of an equal part, in percent.
double least_part(Site& site, const Measurement& measured, std::size_t processes) {
    const auto& database = site.installation().database();
    const auto owners = owners_of_shards(database);
    const auto shards = shards_of_endpoints(database);
    std::map<Uuid, double> delivered;
    for (auto number = measured.sent.first; number < measured.sent.end; ++number)
        ++delivered[owners.at(shards.at(site.ledger()[number].destination.first_endpoint))];
    double least = static_cast<double>(measured.arrived);
    for (const auto& [owner, count] : delivered) least = std::min(least, count);
    return 100 * least * static_cast<double>(processes) / static_cast<double>(measured.arrived);
}

struct Takeover {
    double seconds = 0;  // from the kill to the first delivery, for the shard that waited longest
    std::uint64_t duplicates = 0;
};

// Of what was due after the kill: the dead process has sent none of it.
Takeover examine(Site& site, const Measurement& measured, std::int64_t killed_ns,
                 const std::set<int>& orphaned) {
    Takeover result;
    const auto shards = shards_of_endpoints(site.installation().database());
    std::map<int, std::int64_t> first_arrival;
    for (auto number = measured.sent.first; number < measured.sent.end; ++number) {
        const auto& record = site.ledger()[number];
        const int shard = shards.at(record.destination.first_endpoint);
        if (!orphaned.contains(shard)) continue;
        const auto arrived = record.arrived_ns.load();
        if (record.due_ns < killed_ns) {
            // One duplicate is allowed of what was in flight (docs/architecture.md, I5).
            if (record.arrivals.load() > 1) ++result.duplicates;
        } else if (arrived != 0) {
            const auto [found, fresh] = first_arrival.emplace(shard, arrived);
            if (!fresh) found->second = std::min(found->second, arrived);
        }
    }
    for (const auto& [shard, arrived] : first_arrival)
        result.seconds = std::max(result.seconds, static_cast<double>(arrived - killed_ns) / 1e9);
    return result;
}

// Kills the youngest process while the others take messages in, for its endpoints as for theirs.
Takeover measure_takeover(Site& site, const Plan& plan, const Uuid& victim) {
    std::set<int> orphaned;
    for (const auto& [shard, owner] : owners_of_shards(site.installation().database()))
        if (owner == victim) orphaned.insert(shard);
    if (orphaned.empty()) throw std::runtime_error("the process to be killed owns no shard");
    auto options = site.generator_options();
    options.ports.pop_back();
    Generator generator(options, site.ledger());
    const auto kill_at = now_ns() + std::chrono::nanoseconds(until_kill).count();
    std::int64_t killed_ns = 0;
    const auto kill_once = [&] {
        if (killed_ns == 0 && now_ns() >= kill_at) {
            killed_ns = now_ns();
            site.installation().kill_service();
        }
        return true;
    };
    const auto measured = site.measure(
        generator, {.duration = until_kill + after_kill, .rate = plan.rate, .keep_going = kill_once},
        "take-over");
    return examine(site, measured, killed_ns, orphaned);
}

std::set<Uuid> owners(const Database& database) {
    std::set<Uuid> ids;
    for (const auto& [shard, owner] : owners_of_shards(database)) ids.insert(owner);
    return ids;
}

// The id of the process that was started last.
Uuid start_until(Site& site, std::size_t processes) {
    const auto& database = site.installation().database();
    Uuid youngest;
    while (site.installation().services() < processes) {
        const auto before = owners(database);
        site.installation().start_service();
        await_balance(database, site.installation().services());
        for (const auto& id : owners(database))
            if (!before.contains(id)) youngest = id;
    }
    return youngest;
}

void measure_count(Results& results, Site& site, std::size_t processes, double& rate_of_one) {
    auto options = site.generator_options();
    options.connections *= connections_times;
    Generator generator(options, site.ledger());
    site.warm_up_with(generator);
    const auto all = site.measure_repeatedly(generator, {.duration = results.plan.seconds},
                                             fmt::format("{} processes", processes));
    const auto& measured = median_throughput(all);
    results.add(scenario, fmt::format("delivered, processes: {}", processes), measured.delivered_per_second,
                "messages/s");
    if (processes == 1) {
        rate_of_one = measured.delivered_per_second;
        return;
    }
    results.add(scenario, fmt::format("{} processes, of the rate of one", processes),
                100 * measured.delivered_per_second / rate_of_one, "%", total_rate);
    results.add(scenario, fmt::format("{} processes, least one's deliveries, of an equal part", processes),
                least_part(site, measured, processes), "%", evenness);
}
}  // namespace

void run_scaling(Results& results) {
    const auto& plan = results.plan;
    const auto seconds =
        3 + static_cast<double>(plan.repetitions) * static_cast<double>(plan.seconds.count());
    Site::Options options;
    options.scenario = scenario;
    options.applications = plan.endpoints;
    options.payload_bytes = plan.payload_bytes;
    options.loaded_seconds = static_cast<double>(process_counts.size()) * seconds;
    options.other_deliveries =
        static_cast<std::uint64_t>(plan.rate *
                                   std::chrono::duration<double>(until_kill + after_kill).count()) +
        1;
    options.max_connections = max_connections;
    Site site(results, options);
    double rate_of_one = 0;
    Uuid youngest;
    for (const auto processes : process_counts) {
        youngest = start_until(site, processes);
        measure_count(results, site, processes, rate_of_one);
    }
    const auto takeover = measure_takeover(site, plan, youngest);
    site.finish(takeover.duplicates);
    results.add(scenario, "kill -9 to the first delivery of each of its shards", takeover.seconds, "s",
                takeover_limit_s);
    results.add(scenario, "duplicates by the kill", static_cast<double>(takeover.duplicates), "");
}

}  // namespace posthorn::bench
