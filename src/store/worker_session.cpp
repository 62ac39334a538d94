#include "store/worker_session.hpp"

#include "store/wake_up.hpp"

namespace posthorn::store {

using boost::asio::awaitable;

namespace {

class PostgresWorkerSession final : public WorkerSession {
public:
    explicit PostgresWorkerSession(std::unique_ptr<Connection> connection)
        : connection_(std::move(connection)) {}

    bool usable() const override { return connection_->usable(); }

    Answer<std::vector<BackloggedEndpoint>> list_backlogged_endpoints(std::vector<int> shards) override {
        return store::list_backlogged_endpoints(*connection_, std::move(shards));
    }
    Answer<std::vector<DeliveryRow>> probe_endpoints(std::vector<ProbeTarget> targets) override {
        return store::probe_endpoints(*connection_, std::move(targets));
    }
    Answer<std::vector<DeliveryRow>> probe_ordered_endpoints(Endpoints endpoints) override {
        return store::probe_ordered_endpoints(*connection_, std::move(endpoints));
    }
    Answer<std::vector<PayloadRow>> load_payloads(std::vector<ApplicationId> applications,
                                                  std::vector<MessageId> messages,
                                                  std::int64_t limit_bytes) override {
        return store::load_payloads(*connection_, std::move(applications), std::move(messages), limit_bytes);
    }
    Answer<std::vector<EndpointRow>> load_endpoints(Endpoints endpoints) override {
        return store::load_endpoints(*connection_, std::move(endpoints));
    }
    Answer<std::vector<Completion>> complete_deliveries(const std::vector<Outcome>& outcomes) override {
        return store::complete_deliveries(*connection_, outcomes);
    }
    Answer<std::vector<Completion>> complete_plain_deliveries(const std::vector<Outcome>& outcomes) override {
        return store::complete_plain_deliveries(*connection_, outcomes);
    }
    Answer<std::int64_t> end_deliveries_of_endpoint(HeldShard shard, ApplicationId application,
                                                    EndpointId endpoint,
                                                    std::optional<domain::DeadLetterReason> reason,
                                                    std::vector<MessageId> except, int limit) override {
        return store::end_deliveries_of_endpoint(*connection_, shard, application, endpoint, reason,
                                                 std::move(except), limit);
    }
    Answer<void> mark_endpoints_failing(Endpoints endpoints) override {
        return store::mark_endpoints_failing(*connection_, std::move(endpoints));
    }
    Answer<void> mark_endpoints_recovered(Endpoints endpoints) override {
        return store::mark_endpoints_recovered(*connection_, std::move(endpoints));
    }
    Answer<void> mark_circuits(std::map<EndpointId, std::optional<SystemTime>> circuits) override {
        return store::mark_circuits(*connection_, std::move(circuits));
    }
    Answer<bool> disable_endpoint(EndpointId endpoint, std::string reason,
                                  std::optional<std::chrono::seconds> failing_for) override {
        return store::disable_endpoint(*connection_, endpoint, std::move(reason), failing_for);
    }

    Answer<void> register_process(ProcessId id, bool worker, std::string host) override {
        return store::register_process(*connection_, id, worker, std::move(host));
    }
    Answer<bool> renew_process(ProcessId id) override { return store::renew_process(*connection_, id); }
    Answer<void> unregister_process(ProcessId id) override {
        return store::unregister_process(*connection_, id);
    }
    Answer<std::vector<ProcessRow>> read_processes() override { return store::read_processes(*connection_); }
    Answer<std::vector<LeaseRow>> read_leases() override { return store::read_leases(*connection_); }
    Answer<std::vector<HeldShard>> take_shards(ProcessId id, std::vector<HeldShard> seen,
                                               std::vector<DeadOwner> dead) override {
        return store::take_shards(*connection_, id, std::move(seen), std::move(dead));
    }
    Answer<void> forget_other_processes(ProcessId id) override {
        return store::forget_other_processes(*connection_, id);
    }
    Answer<void> release_shards(ProcessId id, std::vector<HeldShard> held) override {
        return store::release_shards(*connection_, id, std::move(held));
    }
    Answer<SystemTime> database_time() override { return store::database_time(*connection_); }
    Answer<std::vector<EndpointChange>> unacknowledged_changes(std::vector<HeldShard> held) override {
        return store::unacknowledged_changes(*connection_, std::move(held));
    }
    Answer<void> acknowledge_changes(std::vector<EndpointChange> changes,
                                     std::vector<HeldShard> held) override {
        return store::acknowledge_changes(*connection_, std::move(changes), std::move(held));
    }

    Answer<void> listen() override {
        co_await connection_->run("LISTEN posthorn_shard; LISTEN posthorn_endpoint");
    }
    Answer<WakeUp> next_wake_up() override { return connection_->next_notification(); }
    Answer<void> notify_shards(std::vector<std::pair<int, EndpointId>> endpoints) override {
        return store::notify_shards(*connection_, std::move(endpoints));
    }

private:
    std::unique_ptr<Connection> connection_;
};

ConnectOptions options_for(ConnectOptions options, SessionUse use) {
    // Short statements, so that a database that hangs is noticed before the lease has run out twice.
    constexpr std::chrono::milliseconds short_statement{2'000};
    switch (use) {
        case SessionUse::completion:
            options.application_name = "posthorn completion";
            options.hot = true;
            options.asynchronous_commit = true;
            break;
        case SessionUse::fetch:
            options.application_name = "posthorn fetch";
            options.hot = true;
            break;
        case SessionUse::marks:
            options.application_name = "posthorn marks";
            break;
        case SessionUse::owner:
            options.application_name = "posthorn owner";
            options.statement_timeout = short_statement;
            break;
        case SessionUse::release:
            options.application_name = "posthorn release";
            options.statement_timeout = short_statement;
            break;
        case SessionUse::listen:
            options.application_name = "posthorn listen";
            options.statement_timeout = short_statement;
            break;
        case SessionUse::notify:
            options.application_name = "posthorn notify";
            options.asynchronous_commit = true;  // what it tells of is durable already
            break;
    }
    return options;
}

}  // namespace

awaitable<std::unique_ptr<WorkerSession>> PostgresWorkerDatabase::open(boost::asio::any_io_executor executor,
                                                                       SessionUse use) {
    co_return std::make_unique<PostgresWorkerSession>(
        co_await Connection::open(executor, options_for(options_, use)));
}

}  // namespace posthorn::store
