#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include "admin-api/access.hpp"
#include "admin-api/change.hpp"
#include "admin-api/fields.hpp"
#include "admin-api/messages.hpp"
#include "admin-api/problems.hpp"
#include "admin-api/resending.hpp"
#include "admin-api/routes.hpp"
#include "domain/schema_example.hpp"
#include "store/event_type.hpp"

namespace posthorn::admin {

using boost::asio::awaitable;
namespace json = boost::json;

namespace {

constexpr std::int64_t highest_example_index = 1'000;

// The highest version: by number where the names are numbers, which come before other names.
const json::object* newest_schema(const json::object& schemas) {
    const auto rank = [](std::string_view name) {
        std::int64_t number = -1;
        std::from_chars(name.data(), name.data() + name.size(), number);
        return std::pair(number, name);
    };
    const auto newest = std::max_element(schemas.begin(), schemas.end(), [&](const auto& a, const auto& b) {
        return rank(a.key()) < rank(b.key());
    });
    return newest == schemas.end() ? nullptr : newest->value().if_object();
}

// A payload is an object, whatever the schema says.
json::object example_payload(const store::EventType& event_type, std::optional<std::int64_t> index) {
    if (event_type.schemas) {
        const auto schemas = json::parse(*event_type.schemas);
        if (const auto* schema = newest_schema(schemas.as_object())) {
            const auto* examples = schema->if_contains("examples");
            const auto* list = examples == nullptr ? nullptr : examples->if_array();
            const auto* chosen =
                list == nullptr || !index ? nullptr : list->if_contains(static_cast<std::size_t>(*index));
            if (chosen != nullptr && chosen->is_object()) return chosen->get_object();
            auto example = domain::example_of(*schema);
            if (example.is_object() && !example.get_object().empty()) return std::move(example.get_object());
        }
    }
    return {{"example", true}, {"eventType", event_type.name}};
}

// A message like any other, but for one endpoint alone, whatever that is subscribed to.
awaitable<http::Response> send_example(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"replay", true});
    const auto application = co_await find_application(context, principal, request);
    const auto endpoint = co_await find_endpoint(context, application, request);
    Problems problems;
    const auto body = parse_body(request);
    const ObjectReader reader(body, problems);
    const auto name = reader.text("eventType", Need::required, event_type_rule);
    const auto index = reader.integer("exampleIndex", Need::nullable, 0, highest_example_index);
    problems.throw_if_any();
    const auto event_type = co_await store::load_event_type(context.pool, principal.organization, *name);
    if (!event_type) throw http::Problem{404, "not_found", "there is no event type of this name"};
    store::MessageRow message;
    message.id = MessageId::make(context.clock.system_now());
    message.event_type = *name;
    message.payload = json::serialize(example_payload(*event_type, index.value));
    co_await resend(context, application, endpoint,
                    [&](store::Connection& connection) -> awaitable<MessageId> {
                        co_await store::insert_unsent_message(connection, application, message.id,
                                                              message.event_type, *message.payload);
                        co_await audit(connection, context, principal, "message.example", message.id.str(),
                                       {{"endpointId", endpoint.str()}});
                        co_return message.id;
                    });
    http::Response response;
    response.body = message_text(message, true);
    co_return response;
}

}  // namespace

void add_example_routes(http::Router& router, Context& context) {
    add_route(router, context, http::Method::post, "/api/v1/app/{app_id}/endpoint/{endpoint_id}/send-example",
              send_example);
}

}  // namespace posthorn::admin
