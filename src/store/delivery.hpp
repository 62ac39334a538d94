#pragma once
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/id.hpp"
#include "domain/message_extras.hpp"
#include "domain/verdict.hpp"
#include "store/connection.hpp"
#include "store/lease.hpp"

namespace posthorn::store {

struct BackloggedEndpoint {
    int shard = 0;
    EndpointId endpoint;
};

// A row of the table delivery, as a probe sees it.
struct DeliveryRow {
    ApplicationId application;
    EndpointId endpoint;
    MessageId message;
    int attempt = 1;
    bool manual = false;
    std::int64_t run_id = 0;
    std::chrono::microseconds due_in{
        0};  // from the statement's moment, by the database's clock; negative: overdue
    RowPlace place{};
};

struct ProbeTarget {
    int shard = 0;
    EndpointId endpoint;
    int count = 0;           // rows at most
    SystemTime watermark{};  // no row is due before it
};

struct EndpointRow {
    EndpointId id;
    ApplicationId application;
    int shard = 0;
    std::int64_t version = 0;
    std::string url;
    bool disabled = false;
    bool deleted = false;  // the endpoint or its application
    int rate_limit = 0;    // requests a second; 0: none
    std::optional<std::string> sealed_headers;
    bool http2 = false;
    bool ordered = false;
    std::optional<std::string> filter;
    std::optional<std::vector<std::int32_t>> retry_schedule;  // seconds
    std::optional<std::int32_t> timeout_s;
    std::optional<SystemTime> failing_since;
    struct Secret {
        std::string sealed;
        std::optional<SystemTime> expires_at;
    };
    std::vector<Secret> secrets;  // unexpired, the current one first
};

struct AttemptRecord {
    AttemptId id;
    bool succeeded = false;
    int status = 0;
    int failure = 0;  // egress::Failure
    std::chrono::milliseconds duration{0};
    std::string url;
    std::string response;
};

struct Outcome {
    enum class Verdict : std::int16_t {
        delivered = 0,
        retry = 1,
        dead_letter = 2,
        cancelled = 3,
        logged_only = 4
    };

    HeldShard shard;
    ApplicationId application;
    EndpointId endpoint;
    MessageId message;
    std::int64_t run_id = 0;
    RowPlace place{};  // where its row was when it was last seen
    int attempt = 1;
    bool manual = false;
    Verdict verdict = Verdict::delivered;
    std::optional<domain::DeadLetterReason> reason;  // of a dead letter
    std::chrono::milliseconds delay{0};              // of a retry
    std::optional<AttemptRecord> record;             // nothing where no request was made
};

// What became of an outcome, by its place in the batch.
struct Completion {
    bool applied = false;  // false: no such run and attempt any more, or the shard is another's
    std::chrono::microseconds due_in{0};  // of a retry
};

boost::asio::awaitable<std::vector<BackloggedEndpoint>> list_backlogged_endpoints(Connection& connection,
                                                                                  std::vector<int> shards);
boost::asio::awaitable<std::vector<DeliveryRow>> probe_endpoints(Connection& connection,
                                                                 std::vector<ProbeTarget> targets);
boost::asio::awaitable<std::vector<DeliveryRow>> probe_ordered_endpoints(Connection& connection,
                                                                         std::vector<EndpointId> endpoints);

struct PayloadRow {
    MessageId message;
    std::shared_ptr<const std::string> payload;           // null: expunged
    std::shared_ptr<const domain::MessageExtras> extras;  // null: none
    bool later = false;  // the payloads before it reached the limit: ask again
};
// In the order asked, each message once; no row for one that is not there.
boost::asio::awaitable<std::vector<PayloadRow>> load_payloads(Connection& connection,
                                                              std::vector<ApplicationId> applications,
                                                              std::vector<MessageId> messages,
                                                              std::int64_t limit_bytes);
boost::asio::awaitable<std::vector<EndpointRow>> load_endpoints(Connection& connection,
                                                                std::vector<EndpointId> endpoints);

// By their places in the batch. Outcomes that were in a batch before, whose commit may have come about, are
// given once more. Throws DatabaseError.
boost::asio::awaitable<std::vector<Completion>> complete_deliveries(Connection& connection,
                                                                    const std::vector<Outcome>& outcomes);

// A delivery that one of its first attempts brought there: nobody is told of it.
bool is_plain(const Outcome& outcome);
// Does the same sooner, for plain outcomes that were in no batch before. Those that it leaves as not applied
// are logged, but complete_deliveries must be asked about them. Throws DatabaseError.
boost::asio::awaitable<std::vector<Completion>> complete_plain_deliveries(
    Connection& connection, const std::vector<Outcome>& outcomes);

// reason: of the dead letters; nothing: cancelled. `except`: being attempted. Returns how many ended, at most
// `limit`.
boost::asio::awaitable<std::int64_t> end_deliveries_of_endpoint(
    Connection& connection, HeldShard shard, ApplicationId application, EndpointId endpoint,
    std::optional<domain::DeadLetterReason> reason, std::vector<MessageId> except, int limit);

boost::asio::awaitable<void> mark_endpoints_failing(Connection& connection,
                                                    std::vector<EndpointId> endpoints);
boost::asio::awaitable<void> mark_endpoints_recovered(Connection& connection,
                                                      std::vector<EndpointId> endpoints);
// Until when each one's circuit is open; nothing: closed.
boost::asio::awaitable<void> mark_circuits(Connection& connection,
                                           std::map<EndpointId, std::optional<SystemTime>> circuits);
// reason: "gone" or "failing". failing_for: only if it has been failing for at least that long. False if
// nothing was changed.
boost::asio::awaitable<bool> disable_endpoint(Connection& connection, EndpointId endpoint, std::string reason,
                                              std::optional<std::chrono::seconds> failing_for);

}  // namespace posthorn::store
