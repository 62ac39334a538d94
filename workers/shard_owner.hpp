#pragma once
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "async/event.hpp"
#include "workers/lease.hpp"
#include "workers/shard_map.hpp"
#include "workers/shard_plan.hpp"
#include "workers/worker_loop.hpp"

namespace posthorn::workers {

struct OwnerOptions {
    std::string host;    // for people
    bool alone = false;  // no other process can be at this database: nobody's lease is waited for
    std::chrono::milliseconds drain_limit{20'000};  // above the request timeout
};

// Which shards this process owns: renews its counter, takes over what the dead leave, gives away what is more
// than its share, and tells the loops; acknowledges changes of endpoints (I6); listens for wake-ups. One a
// process.
class ShardOwner {
public:
    ShardOwner(boost::asio::any_io_executor executor, OwnerOptions options, store::WorkerDatabase& database,
               std::vector<WorkerLoop*> loops, ShardMap& map, Lease& lease, store::DatabaseClock& clock,
               const domain::SecretBox& box);

    // Until cancelled.
    boost::asio::awaitable<void> run();
    // The clean end, after run() was cancelled: drains every shard, keeping its lease meanwhile, flushes,
    // releases. False if something did not end in time.
    boost::asio::awaitable<bool> leave();

private:
    boost::asio::awaitable<void> own();
    boost::asio::awaitable<void> step(store::WorkerSession& session);
    boost::asio::awaitable<void> balance(store::WorkerSession& session,
                                         const std::vector<store::LeaseRow>& leases);
    boost::asio::awaitable<void> renew(store::WorkerSession& session);
    boost::asio::awaitable<void> enroll(store::WorkerSession& session);
    bool is_put_back(const std::vector<store::ProcessRow>& processes, bool renewed);
    boost::asio::awaitable<void> follow_leases(const std::vector<store::LeaseRow>& leases);
    boost::asio::awaitable<void> take(std::vector<store::HeldShard> taken);
    boost::asio::awaitable<void> give_away();
    boost::asio::awaitable<bool> drain(std::vector<store::HeldShard> shards);
    boost::asio::awaitable<void> acknowledge(store::WorkerSession& session);
    boost::asio::awaitable<void> listen();
    boost::asio::awaitable<void> lose(std::vector<store::HeldShard> shards);
    boost::asio::awaitable<void> list_again();
    boost::asio::awaitable<void> list_in_turn();
    void handle_wake_ups(const std::string& payload);
    std::size_t place_of(int shard) const { return static_cast<std::size_t>(shard) % loops_.size(); }
    WorkerLoop& loop_of(int shard) const { return *loops_[place_of(shard)]; }
    std::vector<store::HeldShard> held() const;
    // By the loop's place.
    std::map<std::size_t, std::vector<store::HeldShard>> by_loop(
        const std::vector<store::HeldShard>& shards) const;

    boost::asio::any_io_executor executor_;
    OwnerOptions options_;
    store::WorkerDatabase& database_;
    std::vector<WorkerLoop*> loops_;
    ShardMap& map_;
    Lease& lease_;
    store::DatabaseClock& clock_;
    const domain::SecretBox& box_;
    ProcessId self_;
    bool enrolled_ = false;
    std::int64_t counter_ = 0;  // our own, as it was read last
    bool ending_ = false;       // keeps what it holds until that is drained, and takes nothing more
    Liveness liveness_;
    std::map<int, std::int64_t> held_;       // shard -> epoch
    std::vector<store::HeldShard> leaving_;  // on their way out
    Event changed_, give_away_event_;
    SteadyTime renewed_at_{}, listed_at_{};
};

}  // namespace posthorn::workers
