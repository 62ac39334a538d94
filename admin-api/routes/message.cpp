#include <boost/json.hpp>

#include "admin-api/access.hpp"
#include "admin-api/change.hpp"
#include "admin-api/fields.hpp"
#include "admin-api/listing.hpp"
#include "admin-api/messages.hpp"
#include "admin-api/problems.hpp"
#include "admin-api/routes.hpp"

namespace posthorn::admin {

using boost::asio::awaitable;

namespace {

constexpr ListRule channels_rule{.fewest = 1, .most = limits::channels_per_message, .item = channel_rule};

awaitable<http::Response> list_messages(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"message", false});
    const auto application = co_await find_application(context, principal, request);
    Problems problems;
    const QueryReader query(request, problems);
    const auto page = read_page<MessageId>(query, Order::descending);
    const auto wanted = read_message_query(query);
    problems.throw_if_any();
    auto listing =
        co_await store::list_messages(context.pool, application, range_of(page, wanted.after, wanted.before),
                                      wanted.filter, wanted.with_content);
    co_return listing_response(
        page, std::move(listing), [](const store::MessageRow& row) { return row.id.str(); },
        [&](const store::MessageRow& row) { return message_text(row, wanted.with_content); });
}

awaitable<http::Response> get_message(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"message", false});
    const auto application = co_await find_application(context, principal, request);
    Problems problems;
    const bool with_content = QueryReader(request, problems).boolean("with_content", true);
    problems.throw_if_any();
    const auto message = co_await find_message(context, application, request, with_content);
    http::Response response;
    response.body = message_text(message, with_content);
    co_return response;
}

awaitable<http::Response> expunge_message(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"message", true});
    const auto application = co_await find_application(context, principal, request);
    const auto message = co_await find_message(context, application, request, false);
    co_await change(context, {}, [&](store::Connection& connection) -> awaitable<void> {
        co_await store::expunge_message(connection, application, message.id);
        co_await audit(connection, context, principal, "message.expunge", message.id.str(),
                       {{"application", application.str()}});
    });
    co_return http::empty_response(204);
}

// Spares a backend making a message that nobody would get.
awaitable<http::Response> precheck_message(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"message", false});
    const auto application = co_await find_application(context, principal, request);
    Problems problems;
    const auto body = parse_body(request);
    const ObjectReader reader(body, problems);
    const auto event_type = reader.text("eventType", Need::required, event_type_rule);
    const auto channels = reader.texts("channels", Need::nullable, channels_rule);
    problems.throw_if_any();
    const bool active =
        co_await store::has_subscriber(context.pool, application, *event_type, channels.value_or({}));
    co_return http::json_response(200, boost::json::object{{"active", active}});
}

}  // namespace

void add_message_routes(http::Router& router, Context& context) {
    using http::Method;
    add_route(router, context, Method::get, "/api/v1/app/{app_id}/msg", list_messages);
    add_route(router, context, Method::get, "/api/v1/app/{app_id}/msg/{msg_id}", get_message);
    add_route(router, context, Method::post, "/api/v1/app/{app_id}/msg/precheck/active", precheck_message);
    add_route(router, context, Method::del, "/api/v1/app/{app_id}/msg/{msg_id}/content", expunge_message);
}

}  // namespace posthorn::admin
