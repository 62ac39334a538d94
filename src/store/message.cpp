#include "store/message.hpp"

#include <unordered_map>

#include "store/queries.hpp"

namespace posthorn::store {

using boost::asio::awaitable;

namespace {
// Few of an application's messages may concern one endpoint, or nearly all.
constexpr std::int64_t messages_a_look = 250;
constexpr int looks_a_request = 40;

MessageRow read_message(const Rows& rows, int row) {
    return {.id = rows.get<MessageId>(row, 0),
            .event_type = rows.get<std::string>(row, 1),
            .channels = rows.get<std::optional<std::vector<std::string>>>(row, 2),
            .event_id = rows.get<std::optional<std::string>>(row, 3),
            .expunged = rows.get<bool>(row, 4),
            .payload = rows.get<std::optional<std::string>>(row, 5),
            .tags = rows.get<std::optional<std::vector<std::string>>>(row, 6),
            .deliver_at = rows.get<std::optional<SystemTime>>(row, 7),
            .raw = rows.get<bool>(row, 8)};
}

std::vector<MessageRow> read_messages(const Rows& rows) {
    std::vector<MessageRow> messages;
    messages.reserve(static_cast<std::size_t>(rows.size()));
    for (int row = 0; row < rows.size(); ++row) messages.push_back(read_message(rows, row));
    return messages;
}

struct StateRow {
    EndpointId endpoint;
    MessageId message;
    DeliveryState state;
};

// Of pairs that have never met there is no row.
awaitable<std::vector<StateRow>> read_states(Pool& pool, ApplicationId application,
                                             std::vector<EndpointId> endpoints,
                                             std::vector<MessageId> messages) {
    const auto rows = co_await pool.exec(sql::delivery_states, Params::of(application, endpoints, messages));
    std::vector<StateRow> states;
    for (int row = 0; row < rows.size(); ++row)
        states.push_back({rows.get<EndpointId>(row, 0),
                          rows.get<MessageId>(row, 1),
                          {static_cast<MessageStatus>(rows.get<std::int16_t>(row, 2)),
                           rows.get<std::optional<SystemTime>>(row, 3)}});
    co_return states;
}

// Those of the messages that concern the endpoint and stand as wanted, in their order.
awaitable<std::vector<AttemptedMessageRow>> attempted_among(Pool& pool, ApplicationId application,
                                                            EndpointId endpoint,
                                                            std::vector<MessageRow> messages,
                                                            std::optional<MessageStatus> wanted) {
    std::vector<MessageId> ids;
    for (const auto& message : messages) ids.push_back(message.id);
    std::unordered_map<MessageId, DeliveryState> states;
    for (const auto& row :
         co_await read_states(pool, application, std::vector<EndpointId>(ids.size(), endpoint), ids))
        states.emplace(row.message, row.state);
    std::vector<AttemptedMessageRow> attempted;
    for (auto& message : messages) {
        const auto state = states.find(message.id);
        if (state == states.end() || (wanted && state->second.status != *wanted)) continue;
        attempted.push_back({std::move(message), state->second});
    }
    co_return attempted;
}

awaitable<void> load_payloads(Pool& pool, ApplicationId application, std::vector<AttemptedMessageRow>& rows) {
    std::vector<MessageId> ids;
    std::unordered_map<MessageId, MessageRow*> by_id;
    for (auto& row : rows) {
        ids.push_back(row.message.id);
        by_id.emplace(row.message.id, &row.message);
    }
    const auto found = co_await pool.exec(sql::read_message_payloads, Params::of(application, ids));
    for (int row = 0; row < found.size(); ++row)
        by_id.at(found.get<MessageId>(row, 0))->payload = found.get<std::optional<std::string>>(row, 1);
}
}  // namespace

std::string_view to_string(MessageStatus status) {
    switch (status) {
        case MessageStatus::success:
            return "success";
        case MessageStatus::pending:
            return "pending";
        case MessageStatus::fail:
            return "fail";
        case MessageStatus::sending:
            return "sending";
    }
    throw std::logic_error("a message status has an unknown number");
}

awaitable<Listing<MessageRow>> list_messages(Pool& pool, ApplicationId application, IdRange range,
                                             MessageFilter filter, bool with_payload) {
    const auto read = [&](IdRange part) -> awaitable<std::vector<MessageRow>> {
        const auto& statement =
            part.descending ? sql::list_messages_descending : sql::list_messages_ascending;
        co_return read_messages(co_await pool.exec(
            statement, Params::of(application, part.near, part.far, part.limit, filter.event_types,
                                  filter.channel, with_payload, filter.tag)));
    };
    if (!filter.any()) co_return Listing<MessageRow>{co_await read(range), std::nullopt};
    const auto end_of_window = [&](IdRange rest) -> awaitable<std::optional<Uuid>> {
        const auto& statement =
            rest.descending ? sql::message_window_descending : sql::message_window_ascending;
        const auto rows =
            co_await pool.exec(statement, Params::of(application, rest.near, rest.far, rows_a_window));
        if (rows.empty()) co_return std::nullopt;
        co_return rows.get<Uuid>(0, 0);
    };
    co_return co_await walk_in_windows<MessageRow>(range, end_of_window, read);
}

awaitable<std::optional<MessageRow>> find_message(Pool& pool, ApplicationId application,
                                                  std::string id_or_event_id, bool with_payload) {
    if (const auto id = MessageId::parse(id_or_event_id)) {
        const auto rows = co_await pool.exec(sql::find_message, Params::of(application, *id, with_payload));
        if (!rows.empty()) co_return read_message(rows, 0);
    }
    const auto rows = co_await pool.exec(sql::find_message_by_event_id,
                                         Params::of(application, id_or_event_id, with_payload));
    if (rows.empty()) co_return std::nullopt;
    co_return read_message(rows, 0);
}

awaitable<bool> has_subscriber(Pool& pool, ApplicationId application, std::string event_type,
                               std::vector<std::string> channels) {
    const auto rows = co_await pool.exec(sql::has_subscriber, Params::of(application, event_type, channels));
    co_return rows.get<bool>(0, 0);
}

awaitable<void> insert_unsent_message(Connection& connection, ApplicationId application, MessageId id,
                                      std::string event_type, std::string payload) {
    co_await connection.exec(sql::insert_unsent_message,
                             Params::of(application, id, event_type, Bytes{payload}));
}

awaitable<void> expunge_message(Connection& connection, ApplicationId application, MessageId id) {
    co_await connection.exec(sql::expunge_message, Params::of(application, id));
}

awaitable<Listing<AttemptedMessageRow>> list_attempted_messages(Pool& pool, ApplicationId application,
                                                                EndpointId endpoint, IdRange range,
                                                                MessageFilter filter,
                                                                std::optional<MessageStatus> status,
                                                                bool with_payload) {
    Listing<AttemptedMessageRow> listing;
    const auto wanted = static_cast<std::size_t>(range.limit);
    listing.stopped_at = range.near;
    range.limit = messages_a_look;
    for (int look = 0; look < looks_a_request; ++look) {
        auto messages = co_await list_messages(pool, application, range, filter, false);
        const bool more = messages.stopped_at || messages.rows.size() == messages_a_look;
        if (messages.stopped_at)
            range.near = *messages.stopped_at;
        else if (!messages.rows.empty())
            range.near = messages.rows.back().id.value;
        listing.stopped_at = range.near;
        for (auto& row :
             co_await attempted_among(pool, application, endpoint, std::move(messages.rows), status))
            if (listing.rows.size() < wanted) listing.rows.push_back(std::move(row));
        const bool full = listing.rows.size() >= wanted;
        if (full || !more) listing.stopped_at.reset();
        if (full || !more || messages.stopped_at) break;
    }
    if (with_payload) co_await load_payloads(pool, application, listing.rows);
    co_return listing;
}

awaitable<std::vector<AttemptedDestinationRow>> list_attempted_destinations(Pool& pool,
                                                                            ApplicationId application,
                                                                            MessageId message, Scan scan) {
    const auto rows =
        co_await pool.exec(sql::list_message_destinations,
                           Params::of(application, message, scan.beyond, scan.descending, scan.limit));
    std::vector<EndpointId> ids;
    for (int row = 0; row < rows.size(); ++row) ids.push_back(rows.get<EndpointId>(row, 0));
    std::unordered_map<EndpointId, DeliveryState> states;
    for (const auto& row :
         co_await read_states(pool, application, ids, std::vector<MessageId>(ids.size(), message)))
        states.emplace(row.endpoint, row.state);

    std::vector<AttemptedDestinationRow> destinations;
    for (int row = 0; row < rows.size(); ++row) {
        const auto state = states.find(rows.get<EndpointId>(row, 0));
        if (state == states.end()) continue;  // cancelled between the two statements
        destinations.push_back({.id = rows.get<EndpointId>(row, 0),
                                .uid = rows.get<std::optional<std::string>>(row, 1),
                                .url = rows.get<std::string>(row, 2),
                                .description = rows.get<std::string>(row, 3),
                                .event_types = rows.get<std::optional<std::vector<std::string>>>(row, 4),
                                .channels = rows.get<std::optional<std::vector<std::string>>>(row, 5),
                                .disabled = rows.get<bool>(row, 6),
                                .rate_limit = rows.get<std::optional<std::int32_t>>(row, 7),
                                .created_at = rows.get<SystemTime>(row, 8),
                                .updated_at = rows.get<SystemTime>(row, 9),
                                .state = state->second});
    }
    co_return destinations;
}

awaitable<EndpointStats> endpoint_stats(Pool& pool, ApplicationId application, EndpointId endpoint,
                                        SystemTime since, SystemTime until) {
    const auto rows = co_await pool.exec(
        sql::endpoint_stats, Params::of(application, endpoint, uuid_v7_floor(since), uuid_v7_floor(until)));
    co_return EndpointStats{.success = rows.get<std::int64_t>(0, 0),
                            .pending = rows.get<std::int64_t>(0, 1),
                            .fail = rows.get<std::int64_t>(0, 2),
                            .sending = rows.get<std::int64_t>(0, 3)};
}

}  // namespace posthorn::store
