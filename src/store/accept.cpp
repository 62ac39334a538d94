#include "store/accept.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "store/message_headers.hpp"
#include "store/queries.hpp"

namespace posthorn::store {

using boost::asio::awaitable;

namespace {

constexpr std::int16_t header_kind = 0, event_id_kind = 1;

// How a list of messages names its applications: three columns of parameters.
struct ApplicationColumns {
    std::vector<OrganizationId> organizations;
    std::vector<std::optional<ApplicationId>> ids;
    std::vector<std::optional<std::string_view>> uids;

    void add(const NewMessage& message) {
        organizations.push_back(message.organization);
        const auto* id = std::get_if<ApplicationId>(&message.application);
        const auto* uid = std::get_if<std::string>(&message.application);
        ids.push_back(id == nullptr ? std::nullopt : std::optional(*id));
        uids.push_back(uid == nullptr ? std::nullopt : std::optional<std::string_view>(*uid));
    }
};

std::optional<std::string> joined(const std::vector<std::string>& names) {
    if (names.empty()) return std::nullopt;
    return fmt::format("{}", fmt::join(names, ","));  // a name holds no comma
}

// What every message has.
struct MessageColumns {
    ApplicationColumns applications;
    std::vector<MessageId> ids;
    std::vector<std::string_view> event_types;
    std::vector<std::optional<std::string>> channels, tags, headers;
    std::vector<Bytes> payloads;
    std::vector<bool> raw;
    std::vector<std::optional<SystemTime>> deliver_at;
    std::vector<std::int64_t> schema_revisions;

    explicit MessageColumns(std::span<const NewMessage* const> messages) {
        static const domain::MessageExtras none;
        for (const auto* message : messages) {
            const auto& extras = message->extras ? *message->extras : none;
            applications.add(*message);
            ids.push_back(message->id);
            event_types.push_back(message->event_type);
            channels.push_back(joined(message->channels));
            payloads.push_back({*message->payload});
            tags.push_back(joined(message->tags));
            headers.push_back(headers_to_json(extras.headers));
            raw.push_back(extras.raw);
            deliver_at.push_back(extras.deliver_at);
            schema_revisions.push_back(message->schema_revision);
        }
    }
};

Params plain_params(std::span<const NewMessage* const> messages) {
    const MessageColumns of(messages);
    return Params::of(of.applications.organizations, of.applications.ids, of.applications.uids, of.ids,
                      of.event_types, of.channels, of.payloads, of.tags, of.headers, of.raw, of.deliver_at,
                      of.schema_revisions);
}

Params accept_params(std::span<const NewMessage* const> messages, std::chrono::milliseconds key_lifetime) {
    const MessageColumns of(messages);
    std::vector<std::optional<std::string_view>> event_ids, keys;
    std::vector<Bytes> hashes;
    for (const auto* message : messages) {
        event_ids.push_back(message->event_id);
        keys.push_back(message->idempotency_key);
        hashes.push_back({message->body_hash});
    }
    const double lifetime_s = std::chrono::duration<double>(key_lifetime).count();
    return Params::of(of.applications.organizations, of.applications.ids, of.applications.uids, of.ids,
                      of.event_types, of.channels, event_ids, keys, hashes, of.payloads, lifetime_s, of.tags,
                      of.headers, of.raw, of.deliver_at, of.schema_revisions);
}

NewDelivery read_delivery(const Rows& rows, int row) {
    return {.application = rows.get<ApplicationId>(row, 3),
            .endpoint = rows.get<EndpointId>(row, 4),
            .message = rows.get<MessageId>(row, 1),
            .shard = rows.get<std::int16_t>(row, 5),
            .run_id = rows.get<std::int64_t>(row, 6),
            .from_table = rows.get<bool>(row, 7),
            .place = rows.get<RowPlace>(row, 8)};
}

}  // namespace

awaitable<AcceptedBatch> accept_messages(Connection& connection, std::span<const NewMessage* const> messages,
                                         std::chrono::milliseconds key_lifetime, bool tried_before) {
    const bool plain = !tried_before && std::none_of(messages.begin(), messages.end(),
                                                     [](const auto* one) { return has_key(*one); });
    const auto rows =
        plain ? co_await connection.exec(sql::accept_plain_messages, plain_params(messages))
              : co_await connection.exec(sql::accept_messages, accept_params(messages, key_lifetime));
    AcceptedBatch batch;
    batch.messages.resize(messages.size(), Acceptance::accepted);  // which of a plain one goes without saying
    for (int row = 0; row < rows.size(); ++row) {
        if (rows.get<bool>(row, 0)) {
            batch.deliveries.push_back(read_delivery(rows, row));
            continue;
        }
        const auto at = std::lower_bound(messages.begin(), messages.end(), rows.get<MessageId>(row, 1),
                                         [](const auto* one, MessageId id) { return one->id < id; });
        batch.messages.at(static_cast<std::size_t>(at - messages.begin())) =
            static_cast<Acceptance>(rows.get<std::int16_t>(row, 2));
    }
    co_return batch;
}

awaitable<std::vector<KeyHolders>> find_key_holders(Connection& connection,
                                                    std::span<const NewMessage* const> messages) {
    ApplicationColumns applications;
    std::vector<std::int16_t> kinds;
    std::vector<std::string_view> keys;
    std::vector<std::size_t> places;
    const auto ask = [&](std::size_t place, std::int16_t kind, const std::optional<std::string>& key) {
        if (!key) return;
        applications.add(*messages[place]);
        kinds.push_back(kind);
        keys.push_back(*key);
        places.push_back(place);
    };
    for (std::size_t i = 0; i < messages.size(); ++i) {
        ask(i, header_kind, messages[i]->idempotency_key);
        ask(i, event_id_kind, messages[i]->event_id);
    }
    const auto rows = co_await connection.exec(
        sql::find_key_holders,
        Params::of(applications.organizations, applications.ids, applications.uids, kinds, keys));
    std::vector<KeyHolders> holders(messages.size());
    for (int row = 0; row < rows.size(); ++row) {
        const auto asked = static_cast<std::size_t>(rows.get<std::int64_t>(row, 0) - 1);
        auto& of_message = holders[places[asked]];
        (kinds[asked] == header_kind ? of_message.idempotency_key : of_message.event_id) =
            KeyHolder{rows.get<MessageId>(row, 1), rows.get<std::string>(row, 2)};
    }
    co_return holders;
}

}  // namespace posthorn::store
