#pragma once
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "store/accept.hpp"
#include "store/delivery.hpp"
#include "store/lease.hpp"

namespace posthorn::sim {

// The tables that workers and ingest use, in memory, and the statements on them, each at one instant:
// the contract of sql/queries/{accept,delivery,lease,endpoint_change}.sql, which
// tests/store/contract_test.cpp holds both to.
class Database {
public:
    explicit Database(const Clock& clock) : clock_(clock) {}

    // -- rows that the admin API would write
    void add_endpoint(store::EndpointRow row);
    // As a change through the admin API: a new version that the shard's owner has to acknowledge.
    void change_endpoint(EndpointId endpoint, const std::function<void(store::EndpointRow&)>& change);
    bool is_acknowledged(EndpointId endpoint, std::optional<store::ProcessRow>& owner) const;
    // A new run of a delivery that has ended, by hand; nothing where it is still live.
    bool replay(EndpointId endpoint, MessageId message);

    // -- ingest
    store::AcceptedBatch accept(const std::vector<store::NewMessage>& messages);
    std::optional<store::KeyHolder> key_holder(ApplicationId application, const std::string& key) const;

    // -- workers: store/delivery.hpp
    std::vector<store::BackloggedEndpoint> list_backlogged_endpoints(const std::vector<int>& shards) const;
    std::vector<store::DeliveryRow> probe_endpoints(const std::vector<store::ProbeTarget>& targets) const;
    std::vector<store::DeliveryRow> probe_ordered_endpoints(const std::vector<EndpointId>& endpoints) const;
    std::vector<store::PayloadRow> load_payloads(const std::vector<ApplicationId>& applications,
                                                 const std::vector<MessageId>& messages,
                                                 std::int64_t limit_bytes) const;
    std::vector<store::EndpointRow> load_endpoints(const std::vector<EndpointId>& endpoints) const;
    std::vector<store::Completion> complete_deliveries(const std::vector<store::Outcome>& outcomes);
    std::vector<store::Completion> complete_plain_deliveries(const std::vector<store::Outcome>& outcomes);
    std::int64_t end_deliveries_of_endpoint(store::HeldShard shard, ApplicationId application,
                                            EndpointId endpoint,
                                            std::optional<domain::DeadLetterReason> reason,
                                            const std::vector<MessageId>& except, int limit);
    void mark_endpoints_failing(const std::vector<EndpointId>& endpoints);
    void mark_endpoints_recovered(const std::vector<EndpointId>& endpoints);
    void mark_circuits(const std::map<EndpointId, std::optional<SystemTime>>&) {}  // people alone read them
    bool disable_endpoint(EndpointId endpoint, const std::string& reason,
                          std::optional<std::chrono::seconds> failing_for);

    // -- workers: store/lease.hpp
    void register_process(ProcessId id, bool worker);
    bool renew_process(ProcessId id);
    void unregister_process(ProcessId id);
    std::vector<store::ProcessRow> read_processes() const;
    std::vector<store::LeaseRow> read_leases() const;
    std::vector<store::HeldShard> take_shards(ProcessId id, const std::vector<store::HeldShard>& seen,
                                              const std::vector<store::DeadOwner>& dead);
    void forget_other_processes(ProcessId id);
    void release_shards(ProcessId id, const std::vector<store::HeldShard>& held);
    SystemTime time() const { return clock_.system_now(); }
    std::vector<store::EndpointChange> unacknowledged_changes(
        const std::vector<store::HeldShard>& held) const;
    void acknowledge_changes(const std::vector<store::EndpointChange>& changes,
                             const std::vector<store::HeldShard>& held);

    // -- commits: what was committed asynchronously is durable with the next synchronous commit, or after a
    // while
    void committed(bool synchronously);
    // The database crashes: of the commits that were not durable only the older part `kept` (0 to 1) is left.
    void crash(double kept);

    // -- for those who look on
    struct Delivery {
        store::DeliveryRow row;
        int shard = 0;
        bool ordered = false;
        SystemTime due_at{};
    };
    struct Message {
        ApplicationId application;
        std::shared_ptr<const std::string> payload;
        std::shared_ptr<const domain::MessageExtras> extras;
    };
    struct Attempt {
        EndpointId endpoint;
        MessageId message;
        std::int64_t run_id = 0;
        int attempt = 0;
        bool succeeded = false;
        int status = 0;
    };
    struct DeadLetter {
        domain::DeadLetterReason reason{};
        int attempts = 0;
        std::int64_t run_id = 0;

        bool operator==(const DeadLetter&) const = default;
    };
    using DeliveryKey = std::pair<EndpointId, MessageId>;
    const std::map<DeliveryKey, Delivery>& deliveries() const { return deliveries_; }
    const std::map<MessageId, Message>& messages() const { return messages_; }
    const std::map<AttemptId, Attempt>& attempts() const { return attempts_; }
    const std::map<DeliveryKey, DeadLetter>& dead_letters() const { return dead_letters_; }
    const store::EndpointRow& endpoint(EndpointId id) const { return endpoints_.at(id); }
    const std::array<store::LeaseRow, store::shard_count>& leases() const { return leases_; }

    // Told of what NOTIFY would say: endpoints whose configuration changed.
    std::function<void()> on_endpoint_change = [] {};
    std::function<void(const store::AcceptedBatch&)> on_accepted = [](const store::AcceptedBatch&) {};

private:
    struct Change {
        int shard = 0;
        std::int64_t version = 0;
        std::optional<std::int64_t> acked_version, acked_epoch;
    };
    struct Undo {  // of one commit
        SteadyTime at;
        std::vector<std::function<void()>> actions;
    };

    bool is_owner(store::HeldShard shard) const;
    store::RowPlace new_place();
    void insert_delivery(Delivery delivery);
    void log(const store::Outcome& outcome);
    void remove(const DeliveryKey& key);
    void set_dead_letter(const DeliveryKey& key, std::optional<DeadLetter> letter);
    void note_undo(std::function<void()> action);
    void record_change(EndpointId endpoint);

    const Clock& clock_;
    std::map<EndpointId, store::EndpointRow> endpoints_;
    std::map<MessageId, Message> messages_;
    std::map<DeliveryKey, Delivery> deliveries_;
    std::map<AttemptId, Attempt> attempts_;
    std::map<DeliveryKey, DeadLetter> dead_letters_;
    std::map<std::pair<ApplicationId, std::string>, store::KeyHolder> keys_;
    std::map<ProcessId, store::ProcessRow> processes_;
    std::array<store::LeaseRow, store::shard_count> leases_ = [] {
        std::array<store::LeaseRow, store::shard_count> rows;
        for (int shard = 0; shard < store::shard_count; ++shard)
            rows[static_cast<std::size_t>(shard)] = {shard, 0, std::nullopt};
        return rows;
    }();
    std::map<EndpointId, Change> changes_;
    std::int64_t last_run_id_ = 0;
    std::uint32_t last_place_ = 0;
    std::vector<store::RowPlace> free_places_;  // of rows that are gone: used again, as a vacuum allows
    std::vector<Undo> undo_;                    // of what is committed and not durable, oldest first
    bool commit_open_ = false;
};

}  // namespace posthorn::sim
