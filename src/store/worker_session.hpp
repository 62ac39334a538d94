#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/connection.hpp"
#include "store/delivery.hpp"
#include "store/lease.hpp"

namespace posthorn::store {

// What workers do in the database, on a session of their own that one coroutine uses at a time: the functions
// of store/delivery.hpp and store/lease.hpp, one for one. tests/store/contract_test.cpp holds the
// simulation's database to the same. All throw DatabaseError; a statement whose connection was lost may or
// may not have happened.
class WorkerSession {
public:
    using Endpoints = std::vector<EndpointId>;
    using WakeUp = Connection::Notification;
    template <class T>
    using Answer = boost::asio::awaitable<T>;

    virtual ~WorkerSession() = default;
    virtual bool usable() const = 0;

    virtual Answer<std::vector<BackloggedEndpoint>> list_backlogged_endpoints(std::vector<int> shards) = 0;
    virtual Answer<std::vector<DeliveryRow>> probe_endpoints(std::vector<ProbeTarget> targets) = 0;
    virtual Answer<std::vector<DeliveryRow>> probe_ordered_endpoints(Endpoints endpoints) = 0;
    virtual Answer<std::vector<PayloadRow>> load_payloads(std::vector<ApplicationId> applications,
                                                          std::vector<MessageId> messages,
                                                          std::int64_t limit_bytes) = 0;
    virtual Answer<std::vector<EndpointRow>> load_endpoints(Endpoints endpoints) = 0;
    virtual Answer<std::vector<Completion>> complete_deliveries(const std::vector<Outcome>& outcomes) = 0;
    virtual Answer<std::vector<Completion>> complete_plain_deliveries(
        const std::vector<Outcome>& outcomes) = 0;
    virtual Answer<std::int64_t> end_deliveries_of_endpoint(HeldShard shard, ApplicationId application,
                                                            EndpointId endpoint,
                                                            std::optional<domain::DeadLetterReason> reason,
                                                            std::vector<MessageId> except, int limit) = 0;
    virtual Answer<void> mark_endpoints_failing(Endpoints endpoints) = 0;
    virtual Answer<void> mark_endpoints_recovered(Endpoints endpoints) = 0;
    virtual Answer<void> mark_circuits(std::map<EndpointId, std::optional<SystemTime>> circuits) = 0;
    virtual Answer<bool> disable_endpoint(EndpointId endpoint, std::string reason,
                                          std::optional<std::chrono::seconds> failing_for) = 0;

    virtual Answer<void> register_process(ProcessId id, bool worker, std::string host) = 0;
    virtual Answer<bool> renew_process(ProcessId id) = 0;
    virtual Answer<void> unregister_process(ProcessId id) = 0;
    virtual Answer<std::vector<ProcessRow>> read_processes() = 0;
    virtual Answer<std::vector<LeaseRow>> read_leases() = 0;
    virtual Answer<std::vector<HeldShard>> take_shards(ProcessId id, std::vector<HeldShard> seen,
                                                       std::vector<DeadOwner> dead) = 0;
    virtual Answer<void> forget_other_processes(ProcessId id) = 0;
    virtual Answer<void> release_shards(ProcessId id, std::vector<HeldShard> held) = 0;
    virtual Answer<SystemTime> database_time() = 0;
    virtual Answer<std::vector<EndpointChange>> unacknowledged_changes(std::vector<HeldShard> held) = 0;
    virtual Answer<void> acknowledge_changes(std::vector<EndpointChange> changes,
                                             std::vector<HeldShard> held) = 0;

    // From here on next_wake_up() hears what is said to workers.
    virtual Answer<void> listen() = 0;
    virtual Answer<WakeUp> next_wake_up() = 0;
    virtual Answer<void> notify_shards(std::vector<std::pair<int, EndpointId>> endpoints) = 0;
};

// What a session is for: whether it is of the hot path, how long a statement may take, what its commits must
// survive.
enum class SessionUse : std::uint8_t { completion, fetch, marks, owner, release, listen, notify };

class WorkerDatabase {
public:
    virtual ~WorkerDatabase() = default;
    virtual boost::asio::awaitable<std::unique_ptr<WorkerSession>> open(boost::asio::any_io_executor executor,
                                                                        SessionUse use) = 0;
};

// The real one.
class PostgresWorkerDatabase final : public WorkerDatabase {
public:
    explicit PostgresWorkerDatabase(ConnectOptions options) : options_(std::move(options)) {}
    boost::asio::awaitable<std::unique_ptr<WorkerSession>> open(boost::asio::any_io_executor executor,
                                                                SessionUse use) override;

private:
    ConnectOptions options_;
};

}  // namespace posthorn::store
