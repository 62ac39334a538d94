#include "store/attempt.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>

#include "admin-api/access.hpp"
#include "admin-api/change.hpp"
#include "admin-api/fields.hpp"
#include "admin-api/listing.hpp"
#include "admin-api/messages.hpp"
#include "admin-api/routes.hpp"
#include "base/encoding.hpp"
#include "base/timestamp.hpp"
#include "store/endpoint.hpp"

namespace posthorn::admin {

using boost::asio::awaitable;
namespace json = boost::json;

namespace {

constexpr std::string_view response_expunged = "EXPUNGED";
constexpr std::chrono::days default_stats_range{28};
constexpr std::chrono::days longest_stats_range{92};

json::object to_json(const store::AttemptRow& attempt, bool with_content) {
    json::object object{{"id", attempt.id.str()},
                        {"msgId", attempt.message.str()},
                        {"endpointId", attempt.endpoint.str()},
                        {"url", attempt.url},
                        {"response", ""},
                        {"responseStatusCode", attempt.status_code},
                        {"responseDurationMs", attempt.duration.count()},
                        {"triggerType", attempt.manual ? 1 : 0},
                        {"timestamp", format_timestamp(uuid_v7_time(attempt.id.value))}};
    if (with_content)
        object["response"] =
            attempt.response ? to_valid_utf8(*attempt.response) : std::string(response_expunged);
    add_status(object, attempt.succeeded ? store::MessageStatus::success : store::MessageStatus::fail);
    return object;
}

struct AttemptQuery {
    Page<AttemptId> page;
    MessageQuery message;
    std::optional<store::MessageStatus> status;
    std::optional<int> status_code_class;
    std::optional<std::string> endpoint;

    // What is logged has ended, one way or the other.
    bool matches_nothing() const {
        return status && *status != store::MessageStatus::success && *status != store::MessageStatus::fail;
    }
    store::IdRange range() const { return range_of(page, message.after, message.before); }
    store::AttemptFilter filter() const {
        store::AttemptFilter wanted;
        if (status) wanted.succeeded = *status == store::MessageStatus::success;
        wanted.status_code_class = status_code_class;
        wanted.message = message.filter;
        return wanted;
    }
};

AttemptQuery read_attempt_query(const http::Request& request) {
    Problems problems;
    const QueryReader query(request, problems);
    AttemptQuery wanted{read_page<AttemptId>(query, Order::descending), read_message_query(query),
                        read_status(query), std::nullopt, query.text("endpoint_id", uid_rule)};
    if (const auto hundreds = query.choice("status_code_class", {"0", "100", "200", "300", "400", "500"}))
        wanted.status_code_class = static_cast<int>(*hundreds) * 100;
    problems.throw_if_any();
    return wanted;
}

http::Response answer(const AttemptQuery& wanted, store::Listing<store::AttemptRow> listing) {
    return listing_response(
        wanted.page, std::move(listing), [](const store::AttemptRow& row) { return row.id.str(); },
        [&](const store::AttemptRow& row) {
            return json::serialize(to_json(row, wanted.message.with_content));
        });
}

bool matches(const store::MessageFilter& filter, const store::MessageRow& message) {
    const auto holds = [](const std::vector<std::string>& list, const std::string& item) {
        return std::find(list.begin(), list.end(), item) != list.end();
    };
    if (filter.event_types && !holds(*filter.event_types, message.event_type)) return false;
    return !filter.channel || (message.channels && holds(*message.channels, *filter.channel));
}

// By id an endpoint that has been deleted since is meant, too.
awaitable<EndpointId> resolve_endpoint(Context& context, ApplicationId application, std::string key) {
    if (const auto id = EndpointId::parse(key)) co_return *id;
    const auto found = co_await store::find_endpoint_by_uid(context.pool, application, key);
    if (!found) throw not_found();
    co_return *found;
}

awaitable<http::Response> list_attempts_by_endpoint(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"message", false});
    const auto application = co_await find_application(context, principal, request);
    const auto endpoint = co_await find_endpoint(context, application, request);
    const auto wanted = read_attempt_query(request);
    if (wanted.matches_nothing()) co_return answer(wanted, {});
    co_return answer(
        wanted, co_await store::list_attempts_of_endpoint(context.pool, application, endpoint, wanted.range(),
                                                          wanted.filter(), wanted.message.with_content));
}

awaitable<http::Response> list_attempts_by_message(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"message", false});
    const auto application = co_await find_application(context, principal, request);
    const auto message = co_await find_message(context, application, request, false);
    const auto wanted = read_attempt_query(request);
    auto filter = wanted.filter();
    if (wanted.endpoint) filter.endpoint = co_await resolve_endpoint(context, application, *wanted.endpoint);
    if (wanted.matches_nothing() || !matches(wanted.message.filter, message)) co_return answer(wanted, {});
    co_return answer(wanted, co_await store::list_attempts_of_message(context.pool, application, message.id,
                                                                      wanted.range(), filter,
                                                                      wanted.message.with_content));
}

AttemptId attempt_of(const http::Request& request) {
    const auto id = AttemptId::parse(request.parameter("attempt_id"));
    if (!id) throw not_found();
    return *id;
}

awaitable<http::Response> get_attempt(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"message", false});
    const auto application = co_await find_application(context, principal, request);
    const auto message = co_await find_message(context, application, request, false);
    const auto attempt =
        co_await store::find_attempt(context.pool, application, message.id, attempt_of(request));
    if (!attempt) throw not_found();
    co_return http::json_response(200, to_json(*attempt, true));
}

awaitable<http::Response> expunge_attempt(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"message", true});
    const auto application = co_await find_application(context, principal, request);
    const auto message = co_await find_message(context, application, request, false);
    const auto id = attempt_of(request);
    co_await change(context, {}, [&](store::Connection& connection) -> awaitable<void> {
        if (!co_await store::expunge_attempt(connection, application, message.id, id)) throw not_found();
        co_await audit(connection, context, principal, "attempt.expunge", id.str(),
                       {{"application", application.str()}});
    });
    co_return http::empty_response(204);
}

void add_state(json::object& object, const store::DeliveryState& state) {
    add_status(object, state.status);
    object["nextAttempt"] = nullptr;
    if (state.next_attempt) object["nextAttempt"] = format_timestamp(*state.next_attempt);
}

json::object to_json(const store::AttemptedDestinationRow& destination) {
    json::object object{{"id", destination.id.str()},
                        {"uid", or_null(destination.uid)},
                        {"url", destination.url},
                        {"description", destination.description},
                        {"eventTypes", or_null(destination.event_types)},
                        {"filterTypes", or_null(destination.event_types)},
                        {"version", 1},
                        {"channels", or_null(destination.channels)},
                        {"disabled", destination.disabled},
                        {"throttleRate", or_null(destination.rate_limit)},
                        {"rateLimit", or_null(destination.rate_limit)},
                        {"createdAt", format_timestamp(destination.created_at)},
                        {"updatedAt", format_timestamp(destination.updated_at)}};
    add_state(object, destination.state);
    return object;
}

awaitable<http::Response> list_attempted_destinations(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"message", false});
    const auto application = co_await find_application(context, principal, request);
    const auto message = co_await find_message(context, application, request, false);
    Problems problems;
    const auto page = read_page<EndpointId>(QueryReader(request, problems), Order::descending);
    problems.throw_if_any();
    auto rows =
        co_await store::list_attempted_destinations(context.pool, application, message.id, scan_of(page));
    co_return page_response(
        page, std::move(rows), [](const store::AttemptedDestinationRow& row) { return row.id.str(); },
        [](const store::AttemptedDestinationRow& row) { return to_json(row); });
}

awaitable<http::Response> list_attempted_messages(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"message", false});
    const auto application = co_await find_application(context, principal, request);
    const auto endpoint = co_await find_endpoint(context, application, request);
    Problems problems;
    const QueryReader query(request, problems);
    const auto page = read_page<MessageId>(query, Order::descending);
    const auto wanted = read_message_query(query);
    const auto status = read_status(query);
    problems.throw_if_any();
    auto listing = co_await store::list_attempted_messages(context.pool, application, endpoint,
                                                           range_of(page, wanted.after, wanted.before),
                                                           wanted.filter, status, wanted.with_content);
    co_return listing_response(
        page, std::move(listing), [](const store::AttemptedMessageRow& row) { return row.message.id.str(); },
        [&](const store::AttemptedMessageRow& row) {
            json::object state;
            add_state(state, row.state);
            return message_text(row.message, wanted.with_content, std::move(state));
        });
}

awaitable<http::Response> endpoint_stats(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"message", false});
    const auto application = co_await find_application(context, principal, request);
    const auto endpoint = co_await find_endpoint(context, application, request);
    Problems problems;
    const QueryReader query(request, problems);
    const auto since = query.time("since").value_or(context.clock.system_now() - default_stats_range);
    const auto until = query.time("until").value_or(since + default_stats_range);
    if (until < since) problems.add({"query", "until"}, "must not be before since", "value_error.datetime");
    if (until - since > longest_stats_range)
        problems.add({"query", "until"}, "must be at most 92 days after since", "value_error.datetime");
    problems.throw_if_any();
    const auto stats = co_await store::endpoint_stats(context.pool, application, endpoint, since, until);
    co_return http::json_response(200, json::object{{"success", stats.success},
                                                    {"pending", stats.pending},
                                                    {"fail", stats.fail},
                                                    {"sending", stats.sending},
                                                    {"canceled", 0}});  // a cancelled delivery leaves no row
}

}  // namespace

void add_attempt_routes(http::Router& router, Context& context) {
    using http::Method;
    const auto get = [&](std::string_view pattern, RouteHandler handler) {
        add_route(router, context, Method::get, pattern, handler);
    };
    get("/api/v1/app/{app_id}/attempt/endpoint/{endpoint_id}", list_attempts_by_endpoint);
    get("/api/v1/app/{app_id}/attempt/msg/{msg_id}", list_attempts_by_message);
    get("/api/v1/app/{app_id}/msg/{msg_id}/attempt/{attempt_id}", get_attempt);
    get("/api/v1/app/{app_id}/msg/{msg_id}/endpoint", list_attempted_destinations);
    get("/api/v1/app/{app_id}/endpoint/{endpoint_id}/msg", list_attempted_messages);
    get("/api/v1/app/{app_id}/endpoint/{endpoint_id}/stats", endpoint_stats);
    add_route(router, context, Method::del, "/api/v1/app/{app_id}/msg/{msg_id}/attempt/{attempt_id}/content",
              expunge_attempt);
}

}  // namespace posthorn::admin
