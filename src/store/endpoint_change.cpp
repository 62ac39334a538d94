#include "store/endpoint_change.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>

#include "store/lease.hpp"
#include "store/queries.hpp"

namespace posthorn::store {

namespace asio = boost::asio;
using asio::awaitable;

namespace {

constexpr std::chrono::milliseconds first_pause{2};
constexpr std::chrono::milliseconds longest_pause{100};

// Judges owners by their counters standing still, on this process's own monotonic clock.
class StillOwners {
public:
    void look() { now_ = time_.look(std::chrono::steady_clock::now()); }
    bool is_dead(const ProcessId& process, std::int64_t counter) {
        auto [at, fresh] = seen_.try_emplace(process, Seen{counter, now_});
        if (!fresh && at->second.counter != counter) at->second = Seen{counter, now_};
        return now_ - at->second.since >= lease_duration;
    }

private:
    struct Seen {
        std::int64_t counter;
        Duration since;
    };
    ObservedTime time_;
    Duration now_{};
    std::map<ProcessId, Seen> seen_;
};

bool all_acknowledged(const Rows& rows, StillOwners& owners) {
    owners.look();
    for (int row = 0; row < rows.size(); ++row) {
        const auto owner = rows.get<std::optional<ProcessId>>(row, 1);
        if (!owner || rows.get<bool>(row, 3)) continue;
        const auto counter = rows.get<std::optional<std::int64_t>>(row, 2);
        if (counter && !owners.is_dead(*owner, *counter)) return false;
        if (!counter && !owners.is_dead(*owner, -1))
            return false;  // it took itself off the list: give it its lease's time
    }
    return true;
}

}  // namespace

awaitable<void> record_endpoint_changes(Connection& connection, std::vector<EndpointId> endpoints) {
    if (endpoints.empty()) co_return;
    co_await connection.exec(sql::record_endpoint_changes, Params::of(endpoints));
    co_await connection.exec(sql::notify_endpoint_changes);
}

awaitable<void> await_acknowledged(Pool& pool, std::vector<EndpointId> endpoints) {
    if (endpoints.empty()) co_return;
    StillOwners owners;
    asio::steady_timer timer(co_await asio::this_coro::executor);
    for (auto pause = first_pause;; pause = std::min(pause * 2, longest_pause)) {
        const auto rows = co_await pool.exec(sql::pending_acknowledgements, Params::of(endpoints));
        if (all_acknowledged(rows, owners)) co_return;
        timer.expires_after(pause);
        co_await timer.async_wait(asio::use_awaitable);
    }
}

}  // namespace posthorn::store
