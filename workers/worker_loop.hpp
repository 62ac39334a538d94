#pragma once
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <vector>

#include "async/event.hpp"
#include "domain/secret_box.hpp"
#include "egress/client.hpp"
#include "store/database_clock.hpp"
#include "store/worker_session.hpp"
#include "workers/attempt.hpp"
#include "workers/completion.hpp"
#include "workers/dispatcher.hpp"
#include "workers/lease.hpp"

namespace posthorn::workers {

struct WorkerOptions {
    DispatcherOptions dispatcher;
    AttemptOptions attempt;
};

// Reads configurations and opens what is sealed in them. An endpoint whose secrets can't be opened is logged
// and marked as unreadable.
boost::asio::awaitable<std::vector<std::shared_ptr<const EndpointConfig>>> load_configs(
    store::WorkerSession& session, const domain::SecretBox& box, std::vector<EndpointId> endpoints);

// One thread of deliveries: a dispatcher, its transport and its database sessions. Everything is called
// on its executor.
class WorkerLoop {
public:
    WorkerLoop(boost::asio::any_io_executor executor, WorkerOptions options, store::WorkerDatabase& database,
               std::unique_ptr<egress::Transport> transport, const domain::SecretBox& box,
               const store::DatabaseClock& clock, const Lease& lease);
    ~WorkerLoop();

    boost::asio::any_io_executor executor() const { return executor_; }

    // Works until cancelled. Drain first, so that nothing is in flight.
    boost::asio::awaitable<void> run();

    void gain(std::vector<store::HeldShard> shards);
    void lose(std::vector<int> shards);
    // Stops starting deliveries of those shards; returns when the last has ended and is committed, or at the
    // limit (false).
    boost::asio::awaitable<bool> drain(std::vector<int> shards, std::chrono::milliseconds limit);
    // New configurations: applied to what waits and to what is in flight. After it no byte goes to a closed
    // endpoint any more (I6).
    void apply(const std::vector<std::shared_ptr<const EndpointConfig>>& configs);
    void wake(int shard, std::optional<EndpointId> endpoint);
    void list_again();
    void list_in_turn();

    void announce(std::uint64_t batch, const std::vector<MessageId>& messages);
    std::vector<std::pair<int, EndpointId>> hand_off(std::uint64_t batch,
                                                     std::vector<HandedDelivery> deliveries);
    void abandon(std::uint64_t batch, bool unknown);

private:
    boost::asio::awaitable<void> pump();
    boost::asio::awaitable<void> fetch();
    boost::asio::awaitable<void> load_missing_payloads(store::WorkerSession& session,
                                                       std::vector<Delivery>& wanted);
    boost::asio::awaitable<void> probe(store::WorkerSession& session, FetchWork& work);
    boost::asio::awaitable<void> fetch_once(store::WorkerSession& session, FetchWork& work);
    boost::asio::awaitable<void> mark();
    boost::asio::awaitable<void> mark_once(store::WorkerSession& session, const EndpointMarks& marks);
    boost::asio::awaitable<void> attempt(Start start);
    void start_attempts();
    void poke();

    boost::asio::any_io_executor executor_;
    WorkerOptions options_;
    store::WorkerDatabase& database_;
    const domain::SecretBox& box_;
    const store::DatabaseClock& clock_;
    const Lease& lease_;
    Dispatcher dispatcher_;
    std::unique_ptr<egress::Transport> transport_;
    Completion completion_;
    Event pump_event_, fetch_event_, mark_event_;
    EndpointMarks marks_;
};

}  // namespace posthorn::workers
