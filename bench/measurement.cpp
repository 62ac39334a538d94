#include "bench/measurement.hpp"

#include <algorithm>
#include <cmath>
#include <thread>

namespace posthorn::bench {

namespace {
constexpr std::chrono::milliseconds arrival_poll{5};
constexpr std::int64_t wait_limit_ns = 600'000'000'000;
constexpr std::int64_t stall_limit_ns = 60'000'000'000;  // the service looks for what it missed every 30 s

bool is_wanted(const DeliveryRecord& record) {
    return record.accepted_ns != 0 && record.destination.expected;
}
bool has_arrived(const DeliveryRecord& record) {
    return record.arrivals.load(std::memory_order_acquire) != 0;
}

void read_ledger(const Ledger& ledger, Measurement& result) {
    std::vector<std::int64_t> due_to_accepted, due_to_arrived, accepted_to_arrived;
    auto last_arrival = result.sent.began_ns;
    for (auto number = result.sent.first; number < result.sent.end; ++number) {
        const auto& record = ledger[number];
        if (!is_wanted(record)) continue;
        ++result.accepted;
        due_to_accepted.push_back(record.accepted_ns - record.due_ns);
        if (!has_arrived(record)) continue;
        const auto arrived_ns = record.arrived_ns.load();
        ++result.arrived;
        last_arrival = std::max(last_arrival, arrived_ns);
        due_to_arrived.push_back(arrived_ns - record.due_ns);
        accepted_to_arrived.push_back(arrived_ns - record.accepted_ns);
    }
    result.seconds = static_cast<double>(last_arrival - result.sent.began_ns) / 1e9;
    result.due_to_accepted = percentiles_of(std::move(due_to_accepted));
    result.due_to_arrived = percentiles_of(std::move(due_to_arrived));
    result.accepted_to_arrived = percentiles_of(std::move(accepted_to_arrived));
}

double per_second(std::uint64_t count, double seconds) {
    return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

template <typename Key>
const Measurement& median_by(const std::vector<Measurement>& all, Key key) {
    std::vector<const Measurement*> sorted;
    for (const auto& one : all) sorted.push_back(&one);
    std::sort(sorted.begin(), sorted.end(), [&](auto* a, auto* b) { return key(*a) < key(*b); });
    return *sorted.at((sorted.size() - 1) / 2);
}
}  // namespace

Percentiles percentiles_of(std::vector<std::int64_t> times_ns) {
    if (times_ns.empty()) return {};
    std::sort(times_ns.begin(), times_ns.end());
    const auto at = [&](double share) {
        const auto rank = std::ceil(share * static_cast<double>(times_ns.size()));
        return static_cast<double>(times_ns[static_cast<std::size_t>(std::max(rank, 1.0)) - 1]) / 1e6;
    };
    return {at(0.5), at(0.9), at(0.99), at(1)};
}

void await_arrivals(const Ledger& ledger, const Receiver& receiver, std::uint64_t first, std::uint64_t end) {
    auto number = first;
    auto requests = receiver.counts().requests.load();
    auto changed_ns = now_ns();
    const auto give_up_ns = changed_ns + wait_limit_ns;
    while (now_ns() < give_up_ns) {
        while (number < end && (!is_wanted(ledger[number]) || has_arrived(ledger[number]))) ++number;
        if (number == end) return;
        std::this_thread::sleep_for(arrival_poll);
        receiver.rethrow_failure();
        throw_if_interrupted();
        if (const auto count = receiver.counts().requests.load(); count != requests) {
            requests = count;
            changed_ns = now_ns();
        } else if (now_ns() - changed_ns > stall_limit_ns) {
            return;
        }
    }
}

Measurement measure(Generator& generator, const Receiver& receiver, const Ledger& ledger,
                    const ProcessIds& processes, const Load& load) {
    Measurement result;
    const auto before = cpu_time(processes);
    const auto window_began_ns = now_ns();
    result.sent = generator.run(load);
    await_arrivals(ledger, receiver, result.sent.first, result.sent.end);
    result.cpu = cpu_time(processes) - before;
    result.cpu_window_seconds = static_cast<double>(now_ns() - window_began_ns) / 1e9;
    read_ledger(ledger, result);
    const auto sending_ns = result.sent.ended_ns - result.sent.began_ns;
    result.accepted_per_second = per_second(result.sent.messages, static_cast<double>(sending_ns) / 1e9);
    result.delivered_per_second = per_second(result.arrived, result.seconds);
    return result;
}

Percentiles arrival_times(const Ledger& ledger, std::uint64_t first, std::uint64_t end,
                          const std::function<bool(std::uint32_t endpoint)>& choice) {
    std::vector<std::int64_t> times_ns;
    for (auto message = first; message < end; message += ledger[message].destination.endpoints)
        for (std::uint32_t i = 0; i < ledger[message].destination.endpoints; ++i)
            if (const auto& record = ledger[message + i];
                has_arrived(record) && choice(ledger[message].destination.first_endpoint + i))
                times_ns.push_back(record.arrived_ns.load() - record.due_ns);
    return percentiles_of(std::move(times_ns));
}

std::uint64_t duplicates_so_far(const Ledger& ledger) {
    std::uint64_t count = 0;
    for (std::uint64_t number = 0; number < ledger.next(); ++number)
        if (const auto arrivals = ledger[number].arrivals.load(); arrivals > 1) count += arrivals - 1;
    return count;
}

const Measurement& median_latency(const std::vector<Measurement>& all) {
    return median_by(all, [](const Measurement& one) { return one.due_to_arrived.p99; });
}

const Measurement& median_throughput(const std::vector<Measurement>& all) {
    return median_by(all, [](const Measurement& one) { return one.delivered_per_second; });
}

}  // namespace posthorn::bench
