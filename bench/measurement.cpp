#include "bench/measurement.hpp"

#include <algorithm>
#include <cmath>
#include <thread>

namespace posthorn::bench {

namespace {
constexpr std::chrono::milliseconds arrival_poll{5};
constexpr std::int64_t stall_limit_ns = 60'000'000'000;  // the service looks for what it missed every 30 s

bool is_missing(const MessageRecord& record) {
    return record.accepted_ns != 0 && record.arrivals.load(std::memory_order_acquire) == 0;
}

void await_arrivals(const Ledger& ledger, const Receiver& receiver, const LoadResult& sent) {
    auto number = sent.first;
    auto requests = receiver.counts().requests.load();
    auto changed_ns = now_ns();
    while (true) {
        while (number < sent.end && !is_missing(ledger[number])) ++number;
        if (number == sent.end) return;
        std::this_thread::sleep_for(arrival_poll);
        receiver.rethrow_failure();
        if (interrupted) throw Interrupted();
        if (const auto count = receiver.counts().requests.load(); count != requests) {
            requests = count;
            changed_ns = now_ns();
        } else if (now_ns() - changed_ns > stall_limit_ns) {
            return;
        }
    }
}

// By the nearest rank.
Percentiles percentiles_of(std::vector<std::int64_t> times_ns) {
    if (times_ns.empty()) return {};
    std::sort(times_ns.begin(), times_ns.end());
    const auto at = [&](double share) {
        const auto rank = std::ceil(share * static_cast<double>(times_ns.size()));
        return static_cast<double>(times_ns[static_cast<std::size_t>(std::max(rank, 1.0)) - 1]) / 1e6;
    };
    return {at(0.5), at(0.9), at(0.99), at(1)};
}

void read_ledger(const Ledger& ledger, Measurement& result) {
    std::vector<std::int64_t> due_to_accepted, due_to_arrived, accepted_to_arrived;
    auto last_arrival = result.sent.began_ns;
    for (auto number = result.sent.first; number < result.sent.end; ++number) {
        const auto& record = ledger[number];
        if (record.accepted_ns == 0) continue;
        due_to_accepted.push_back(record.accepted_ns - record.due_ns);
        if (record.arrivals.load() == 0) continue;
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
}  // namespace

Measurement measure(Generator& generator, const Receiver& receiver, const Ledger& ledger, pid_t service,
                    const Load& load) {
    Measurement result;
    const auto before = cpu_time(service);
    const auto window_began_ns = now_ns();
    result.sent = generator.run(load);
    await_arrivals(ledger, receiver, result.sent);
    result.cpu = cpu_time(service) - before;
    result.cpu_window_seconds = static_cast<double>(now_ns() - window_began_ns) / 1e9;
    read_ledger(ledger, result);
    const auto sending_ns = result.sent.ended_ns - result.sent.began_ns;
    result.accepted_per_second = per_second(result.sent.accepted, static_cast<double>(sending_ns) / 1e9);
    result.delivered_per_second = per_second(result.arrived, result.seconds);
    return result;
}

std::uint64_t duplicates_so_far(const Ledger& ledger) {
    std::uint64_t count = 0;
    for (std::uint64_t number = 0; number < ledger.next(); ++number)
        if (const auto arrivals = ledger[number].arrivals.load(); arrivals > 1) count += arrivals - 1;
    return count;
}

}  // namespace posthorn::bench
