#pragma once
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/id.hpp"
#include "store/connection.hpp"
#include "store/dead_letter.hpp"
#include "store/message.hpp"
#include "store/scan.hpp"

namespace posthorn::store {

// Of dead letters: an endpoint's since a time; by any filter. Of the messages of a time that an endpoint is
// subscribed to, as it is now, its payload filter included: those it never got; all of them.
enum class ReplayKind { recover, dead_letters, missing, all };
enum class ReplayState { running, finished, cancelled };
std::string_view to_string(ReplayState state);
std::string_view to_string(ReplayKind kind);  // as stored
ReplayKind parse_replay_kind(std::string_view text);

// What else the kinds that replay messages may ask of them.
struct MessageChoice {
    std::optional<std::string> channel = {}, tag = {};
    std::optional<MessageStatus> status = {};  // how it ended: success or fail
};

MessageChoice read_message_choice(const Rows& rows, int row, int first_column);  // its three columns

struct ReplayJobRow {
    ReplayJobId id;
    ReplayKind kind = ReplayKind::dead_letters;
    ReplayState state = ReplayState::running;
    std::optional<ApplicationId> application;
    std::optional<EndpointId> endpoint;
    std::optional<std::vector<std::string>> event_types;
    std::optional<domain::DeadLetterReason> reason;
    std::optional<SystemTime> after, before;
    std::int32_t rate_limit = 0;  // deliveries a second; 0: none
    std::int64_t replayed = 0;
    SystemTime created_at{}, updated_at{};
    MessageChoice messages = {};
};

// Of what is a dead letter at this moment, those that match become live deliveries again, step by step; of
// the kinds that replay messages, `filter` names application, endpoint, and the time's end.
boost::asio::awaitable<ReplayJobRow> insert_replay_job(Connection& connection, ReplayJobId id,
                                                       ReplayKind kind, DeadLetterFilter filter,
                                                       std::int32_t rate_limit, MessageChoice messages = {});
// With an application: its jobs alone.
boost::asio::awaitable<std::optional<ReplayJobRow>> find_replay_job(Pool& pool, OrganizationId organization,
                                                                    std::optional<ApplicationId> application,
                                                                    ReplayJobId id);
struct ReplayJobFilter {
    std::optional<ApplicationId> application = {};
    std::optional<ReplayKind> kind = {};
    std::optional<ReplayState> state = {};
};
boost::asio::awaitable<std::vector<ReplayJobRow>> list_replay_jobs(Pool& pool, OrganizationId organization,
                                                                   ReplayJobFilter filter, Scan scan);
// False if it was not running. Waits for a step that is under way; there is none after it.
boost::asio::awaitable<bool> cancel_replay_job(Connection& connection, OrganizationId organization,
                                               std::optional<ApplicationId> application, ReplayJobId id);

struct ReplayLimits {
    std::int64_t deliveries_a_step = 200;
    std::int64_t messages_a_step = 500;      // looked at, where messages are replayed
    std::int64_t live_per_endpoint = 1'000;  // replayed deliveries that have not ended; more wait their turn
    std::chrono::milliseconds crowded_pause{1'000};  // until endpoints that had too many are looked at again
};

struct ReplayStep {
    ReplayJobId job;
    std::int64_t replayed = 0;
    ReplayState state = ReplayState::running;
    std::vector<std::pair<int, EndpointId>> woken = {};  // for notify_shards, after the step
};

// One step of the job that has waited longest, in one transaction of its own: dead letters become deliveries,
// the cursor moves on, the count grows. Any process can do any step, and whoever is killed within one has
// done nothing. Nothing if no job may go on now. Left as they are: the dead letters of disabled and deleted
// endpoints, and messages whose payload is gone (their reason becomes undeliverable). A rate limit holds over
// all processes: the job rests after a step, by the database's clock.
boost::asio::awaitable<std::optional<ReplayStep>> run_replay_step(Connection& connection,
                                                                  ReplayLimits limits);
// Until a running job may go on, by the database's clock; nothing without one.
boost::asio::awaitable<std::optional<std::chrono::milliseconds>> time_to_next_replay_step(
    Connection& connection);

enum class ResendOutcome { queued, endpoint_unknown, endpoint_disabled, message_unknown, message_expunged };
struct Resend {
    ResendOutcome outcome = ResendOutcome::queued;
    int shard = 0;  // of a queued one, for notify_shards after the commit
};
// Within a transaction. One delivery, whatever became of it before. Where it is still live nothing is added:
// its next attempt is made at once, but on an ordered endpoint it keeps its place and its time.
boost::asio::awaitable<Resend> resend_message(Connection& connection, ApplicationId application,
                                              EndpointId endpoint, MessageId message);

}  // namespace posthorn::store
