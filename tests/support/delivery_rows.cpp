#include "support/delivery_rows.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/encoding.hpp"
#include "support/postgres.hpp"

namespace posthorn::test {

namespace {
std::string bytea(const std::string& bytes) { return "decode('" + hex_encode(bytes) + "', 'hex')"; }

std::string text_or_null(const std::string& text) { return text.empty() ? "NULL" : "'" + text + "'"; }
}  // namespace

void DeliveryRows::sql(const std::string& text) const { run_sql(conninfo_, text); }

MessageId DeliveryRows::message(ApplicationId application, SystemTime at, Message what) const {
    const MessageId id{UuidV7Generator().next(at)};
    const auto channels =
        what.channels.empty() ? std::string("NULL") : fmt::format("'{{{}}}'", fmt::join(what.channels, ","));
    sql(
        fmt::format("INSERT INTO message (app_id, id, event_type, channels, event_id, payload) "
                    "VALUES ({}, {}, '{}', {}, {}, {})",
                    quoted_id(application), quoted_id(id), what.event_type, channels,
                    text_or_null(what.event_id), bytea(what.payload)));
    return id;
}

AttemptId DeliveryRows::attempt(ApplicationId application, EndpointId endpoint, MessageId message,
                                SystemTime at, Attempt what) const {
    const AttemptId id{UuidV7Generator().next(at)};
    const bool succeeded = what.status_code >= 200 && what.status_code < 300;
    sql(fmt::format(
        "INSERT INTO attempt (app_id, message_id, id, endpoint_id, run_id, attempt, manual, succeeded, "
        "status_code, failure, duration_ms, url, response) "
        "VALUES ({}, {}, {}, {}, 1, 1, {}, {}, {}, 0, 12, 'http://127.0.0.1/hook', {})",
        quoted_id(application), quoted_id(message), quoted_id(id), quoted_id(endpoint), what.manual,
        succeeded, what.status_code, bytea(what.response)));
    return id;
}

void DeliveryRows::live(ApplicationId application, EndpointId endpoint, MessageId message, int attempt,
                        const std::string& due) const {
    sql(
        fmt::format("INSERT INTO delivery (app_id, endpoint_id, message_id, shard, ordered, attempt, due_at) "
                    "SELECT {}, id, {}, shard, ordered, {}, {} FROM endpoint WHERE id = {}",
                    quoted_id(application), quoted_id(message), attempt, due, quoted_id(endpoint)));
}

void DeliveryRows::dead_letter(OrganizationId organization, ApplicationId application, EndpointId endpoint,
                               MessageId message, domain::DeadLetterReason reason,
                               const std::string& ended_at, const std::string& event_type) const {
    sql(fmt::format(
        "INSERT INTO dead_letter (app_id, endpoint_id, message_id, org_id, event_type, reason, attempts, "
        "run_id, ended_at) VALUES ({}, {}, {}, {}, '{}', {}, 8, nextval('delivery_run'), {})",
        quoted_id(application), quoted_id(endpoint), quoted_id(message), quoted_id(organization), event_type,
        static_cast<int>(reason), ended_at));
}

}  // namespace posthorn::test
