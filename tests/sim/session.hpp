#pragma once
#include <deque>
#include <map>
#include <memory>

#include "async/event.hpp"
#include "sim/database.hpp"
#include "sim/world.hpp"
#include "store/worker_session.hpp"

namespace posthorn::sim {

class Session;

// The database as a server: what it is like to reach it.
class Server {
public:
    Server(World& world, Database& database);

    // What goes wrong with a statement, as probabilities.
    struct Troubles {
        double lost_before = 0, lost_after = 0;  // the connection breaks: before the commit, after it
        double refused = 0;                      // nothing is done, the connection stays
        double slow = 0;                         // it takes up to three seconds
    };
    Troubles troubles;

    World& world() { return world_; }
    Database& database() { return database_; }

    bool up() const { return up_; }
    std::uint64_t generation() const { return generation_; }
    SteadyTime frozen_until() const { return frozen_until_; }
    void freeze_until(SteadyTime time) { frozen_until_ = std::max(frozen_until_, time); }
    // Every session breaks. A crash loses asynchronous commits, a clean restart does not.
    void go_down(bool crash);
    void come_up() { up_ = true; }

    void notify_endpoints(const std::vector<std::pair<int, EndpointId>>& endpoints);
    // By the session's number.
    void add_listener(std::uint64_t number, Session& session) { listeners_[number] = &session; }
    void remove_listener(std::uint64_t number) { listeners_.erase(number); }
    Session* listener(std::uint64_t number) const {
        const auto at = listeners_.find(number);
        return at == listeners_.end() ? nullptr : at->second;
    }
    std::uint64_t next_session_number() { return ++last_session_; }

private:
    void notify(const store::WorkerSession::WakeUp& wake_up);

    World& world_;
    Database& database_;
    bool up_ = true;
    std::uint64_t generation_ = 0;
    SteadyTime frozen_until_{};
    std::map<std::uint64_t, Session*> listeners_;
    std::uint64_t last_session_ = 0;
};

// The way from one process to the server.
struct Link {
    SteadyTime cut_until{};  // nothing gets through before it
};

// A process's sessions.
class SimulatedDatabase final : public store::WorkerDatabase {
public:
    SimulatedDatabase(Server& server, const Link& link) : server_(server), link_(link) {}
    boost::asio::awaitable<std::unique_ptr<store::WorkerSession>> open(boost::asio::any_io_executor executor,
                                                                       store::SessionUse use) override;
    // The writer of ingest.
    boost::asio::awaitable<std::unique_ptr<Session>> open_session(boost::asio::any_io_executor executor,
                                                                  store::SessionUse use);

private:
    Server& server_;
    const Link& link_;
};

// What a statement's sender waits for. Whoever dies first lets go of it.
template <class T>
struct Reply {
    Event* event = nullptr;  // null: nobody waits any more
    std::optional<T> value;
    std::optional<store::DatabaseError> error;

    void give(T given) {
        value = std::move(given);
        if (event != nullptr) event->set();
    }
    void fail(store::DatabaseError failure) {
        error = std::move(failure);
        if (event != nullptr) event->set();
    }
};

class Session final : public store::WorkerSession {
public:
    Session(Server& server, const Link& link, boost::asio::any_io_executor executor, store::SessionUse use);
    ~Session() override { server_.remove_listener(number_); }

    bool usable() const override { return usable_; }
    void hear(WakeUp wake_up);
    void notice_end();

    Answer<store::AcceptedBatch> accept(std::vector<store::NewMessage> messages);
    Answer<std::optional<store::KeyHolder>> key_holder(ApplicationId application, std::string key);

    Answer<std::vector<store::BackloggedEndpoint>> list_backlogged_endpoints(
        std::vector<int> shards) override;
    Answer<std::vector<store::DeliveryRow>> probe_endpoints(std::vector<store::ProbeTarget> targets) override;
    Answer<std::vector<store::DeliveryRow>> probe_ordered_endpoints(Endpoints endpoints) override;
    Answer<std::vector<store::PayloadRow>> load_payloads(std::vector<ApplicationId> applications,
                                                         std::vector<MessageId> messages,
                                                         std::int64_t limit_bytes) override;
    Answer<std::vector<store::EndpointRow>> load_endpoints(Endpoints endpoints) override;
    Answer<std::vector<store::Completion>> complete_deliveries(
        const std::vector<store::Outcome>& outcomes) override;
    Answer<std::vector<store::Completion>> complete_plain_deliveries(
        const std::vector<store::Outcome>& outcomes) override;
    Answer<std::int64_t> end_deliveries_of_endpoint(store::HeldShard shard, ApplicationId application,
                                                    EndpointId endpoint,
                                                    std::optional<domain::DeadLetterReason> reason,
                                                    std::vector<MessageId> except, int limit) override;
    Answer<void> mark_endpoints_failing(Endpoints endpoints) override;
    Answer<void> mark_endpoints_recovered(Endpoints endpoints) override;
    Answer<void> mark_circuits(std::map<EndpointId, std::optional<SystemTime>> circuits) override;
    Answer<bool> disable_endpoint(EndpointId endpoint, std::string reason,
                                  std::optional<std::chrono::seconds> failing_for) override;
    Answer<void> register_process(ProcessId id, bool worker, std::string host) override;
    Answer<bool> renew_process(ProcessId id) override;
    Answer<void> unregister_process(ProcessId id) override;
    Answer<std::vector<store::ProcessRow>> read_processes() override;
    Answer<std::vector<store::LeaseRow>> read_leases() override;
    Answer<std::vector<store::HeldShard>> take_shards(ProcessId id, std::vector<store::HeldShard> seen,
                                                      std::vector<store::DeadOwner> dead) override;
    Answer<void> forget_other_processes(ProcessId id) override;
    Answer<void> release_shards(ProcessId id, std::vector<store::HeldShard> held) override;
    Answer<SystemTime> database_time() override;
    Answer<std::vector<store::EndpointChange>> unacknowledged_changes(
        std::vector<store::HeldShard> held) override;
    Answer<void> acknowledge_changes(std::vector<store::EndpointChange> changes,
                                     std::vector<store::HeldShard> held) override;
    Answer<void> listen() override;
    Answer<WakeUp> next_wake_up() override;
    Answer<void> notify_shards(std::vector<std::pair<int, EndpointId>> endpoints) override;

private:
    // Sends `work` to the server, which does it at one instant some time later, and waits for what it
    // answers.
    template <class Work>
    auto call(Work work) -> Answer<std::invoke_result_t<Work, Database&>>;

    Server& server_;
    const Link& link_;
    boost::asio::any_io_executor executor_;
    bool asynchronous_commit_;
    std::chrono::milliseconds patience_;
    std::uint64_t number_, generation_;
    bool usable_ = true;
    Event heard_;
    std::deque<WakeUp> wake_ups_;
};

}  // namespace posthorn::sim
