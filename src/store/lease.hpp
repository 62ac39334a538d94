#pragma once
#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/id.hpp"
#include "store/connection.hpp"

namespace posthorn::store {

inline constexpr int shard_count = 64;

// A process renews this often; a lease lasts this long after the renewal that last moved the counter, on the
// judge's own clock.
inline constexpr std::chrono::milliseconds renewal_interval{1'000};
inline constexpr std::chrono::milliseconds lease_duration{4'000};
// The owner counts from before its renewal was sent, and stops this much earlier.
inline constexpr std::chrono::milliseconds lease_margin{500};
// Of the time between two looks at the counters so much counts at most.
inline constexpr std::chrono::milliseconds longest_look{1'000};

// The time in which a judge saw counters stand still: its monotonic clock without the gaps in which it did
// not look. Who was stopped, or had no database, would otherwise take everybody else for dead at its first
// look.
class ObservedTime {
public:
    Duration look(SteadyTime now) {
        if (last_) sum_ += std::min<Duration>(now - *last_, longest_look);
        last_ = now;
        return sum_;
    }

private:
    std::optional<SteadyTime> last_;
    Duration sum_{};
};

struct ProcessRow {
    ProcessId id;
    std::int64_t counter = 0;
    bool worker = false;
};
struct LeaseRow {
    int shard = 0;
    std::int64_t epoch = 0;
    std::optional<ProcessId> owner;
};
struct HeldShard {
    int shard = 0;
    std::int64_t epoch = 0;

    auto operator<=>(const HeldShard&) const = default;
};

boost::asio::awaitable<void> register_process(Connection& connection, ProcessId id, bool worker,
                                              std::string host);
// False if the row is gone (cleaned up as dead): the process must register again and has lost its shards.
boost::asio::awaitable<bool> renew_process(Connection& connection, ProcessId id);
boost::asio::awaitable<void> unregister_process(Connection& connection, ProcessId id);
boost::asio::awaitable<std::vector<ProcessRow>> read_processes(Connection& connection);
boost::asio::awaitable<std::vector<LeaseRow>> read_leases(Connection& connection);
// A dead owner, with the counter at which it stood still.
struct DeadOwner {
    ProcessId id;
    std::int64_t counter = 0;

    auto operator<=>(const DeadOwner&) const = default;
};
// Takes those whose epoch is still the given one and that have no owner, or one of `dead` that still stands
// still, or this process itself, which did not hear of it; at the next epoch. Returns what was taken.
boost::asio::awaitable<std::vector<HeldShard>> take_shards(Connection& connection, ProcessId id,
                                                           std::vector<HeldShard> seen,
                                                           std::vector<DeadOwner> dead);
boost::asio::awaitable<void> forget_other_processes(Connection& connection, ProcessId id);
boost::asio::awaitable<void> release_shards(Connection& connection, ProcessId id,
                                            std::vector<HeldShard> held);
boost::asio::awaitable<SystemTime> database_time(Connection& connection);

struct EndpointChange {
    EndpointId endpoint;
    int shard = 0;
    std::int64_t version = 0;
};
boost::asio::awaitable<std::vector<EndpointChange>> unacknowledged_changes(Connection& connection,
                                                                           std::vector<HeldShard> held);
boost::asio::awaitable<void> acknowledge_changes(Connection& connection, std::vector<EndpointChange> changes,
                                                 std::vector<HeldShard> held);

}  // namespace posthorn::store
