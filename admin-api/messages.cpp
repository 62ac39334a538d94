#include "admin-api/messages.hpp"

#include "admin-api/fields.hpp"
#include "admin-api/listing.hpp"
#include "admin-api/problems.hpp"
#include "base/timestamp.hpp"
#include "domain/endpoint_filter.hpp"

namespace posthorn::admin {

using boost::asio::awaitable;
namespace json = boost::json;

namespace {
constexpr std::string_view content_left_out = "{}";
constexpr std::string_view content_expunged = R"({"expired":true})";
}  // namespace

awaitable<store::MessageRow> find_message(Context& context, ApplicationId application,
                                          const http::Request& request, bool with_payload) {
    const auto& key = request.parameter("msg_id");
    if (!domain::is_valid_name(key, limits::uid_characters)) throw not_found();
    auto message = co_await store::find_message(context.pool, application, key, with_payload);
    if (!message) throw not_found();
    co_return std::move(*message);
}

std::string message_text(const store::MessageRow& message, bool with_content, json::object further) {
    json::object object{{"id", message.id.str()},
                        {"eventType", message.event_type},
                        {"eventId", or_null(message.event_id)},
                        {"channels", or_null(message.channels)},
                        {"tags", or_null(message.tags)},
                        {"deliverAt", message.deliver_at ? json::value(format_timestamp(*message.deliver_at))
                                                         : json::value(nullptr)},
                        {"timestamp", format_timestamp(uuid_v7_time(message.id.value))}};
    for (auto& [name, value] : further) object[name] = std::move(value);
    std::string_view payload = content_left_out;
    if (with_content) payload = message.payload ? std::string_view(*message.payload) : content_expunged;
    std::string text;
    if (with_content && message.payload && message.raw)
        payload = text = json::serialize(json::string(*message.payload));
    return with_raw_member(object, "payload", payload);
}

void add_status(json::object& object, store::MessageStatus status) {
    object["status"] = static_cast<int>(status);
    object["statusText"] = store::to_string(status);
}

MessageQuery read_message_query(const QueryReader& query) {
    return {{query.texts("event_types", event_types_rule), query.text("channel", channel_rule),
             query.text("tag", tag_rule)},
            query.time("before"),
            query.time("after"),
            query.boolean("with_content", true)};
}

std::optional<store::MessageStatus> read_status(const QueryReader& query) {
    const auto number = query.integer("status", 0, 3);
    if (!number) return std::nullopt;
    return static_cast<store::MessageStatus>(*number);
}

}  // namespace posthorn::admin
