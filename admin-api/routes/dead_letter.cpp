#include "store/dead_letter.hpp"

#include <boost/json.hpp>

#include "admin-api/change.hpp"
#include "admin-api/dead_letter_filter.hpp"
#include "admin-api/pagination.hpp"
#include "admin-api/resending.hpp"
#include "admin-api/routes.hpp"
#include "base/timestamp.hpp"

namespace posthorn::admin {

using boost::asio::awaitable;
namespace json = boost::json;

namespace {

std::string key_text(const store::DeadLetterKey& key) { return key.message.str() + "." + key.endpoint.str(); }

std::optional<store::DeadLetterKey> parse_key(std::string_view text) {
    const auto point = text.find('.');
    if (point == std::string_view::npos) return std::nullopt;
    const auto message = MessageId::parse(text.substr(0, point));
    const auto endpoint = EndpointId::parse(text.substr(point + 1));
    if (!message || !endpoint) return std::nullopt;
    return store::DeadLetterKey{*message, *endpoint};
}

Page<store::DeadLetterKey> read_dead_letter_page(const QueryReader& query) {
    const auto given = read_page_parameters(query, Order::descending);
    Page<store::DeadLetterKey> page{given.limit, given.order, given.backwards, std::nullopt};
    if (given.iterator) {
        page.beyond = parse_key(*given.iterator);
        if (!page.beyond) add_bad_iterator(query.problems());
    }
    return page;
}

json::object to_json(const store::DeadLetterRow& letter) {
    return {{"id", key_text(letter.key)},
            {"appId", letter.application.str()},
            {"endpointId", letter.key.endpoint.str()},
            {"msgId", letter.key.message.str()},
            {"eventType", letter.event_type},
            {"reason", domain::to_string(letter.reason)},
            {"attempts", letter.attempts},
            {"timestamp", format_timestamp(uuid_v7_time(letter.key.message.value))},
            {"endedAt", format_timestamp(letter.ended_at)}};
}

awaitable<http::Response> list_dead_letters(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"replay", false});
    Problems problems;
    const QueryReader query(request, problems);
    const auto page = read_dead_letter_page(query);
    auto choice = read_dead_letter_choice(query);
    problems.throw_if_any();
    auto filter = co_await dead_letter_filter(context, principal, request, std::move(choice));
    auto rows = co_await store::list_dead_letters(context.pool, std::move(filter),
                                                  {page.beyond, page.scan_descending(), page.scan_limit()});
    co_return page_response(
        page, std::move(rows), [](const store::DeadLetterRow& row) { return key_text(row.key); }, to_json);
}

awaitable<store::DeadLetterRow> find_dead_letter(Context& context, const Principal& principal,
                                                 const http::Request& request) {
    auto application = principal.application;
    if (request.parameters.contains("app_id"))
        application = co_await find_application(context, principal, request);
    const auto key = parse_key(request.parameter("dead_letter_id"));
    if (!key) throw not_found();
    auto letter = co_await store::find_dead_letter(context.pool, principal.organization, application, *key);
    if (!letter) throw not_found();
    co_return std::move(*letter);
}

awaitable<http::Response> get_dead_letter(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"replay", false});
    co_return http::json_response(200, to_json(co_await find_dead_letter(context, principal, request)));
}

json::object audit_details(const store::DeadLetterRow& letter) {
    return {{"application", letter.application.str()}, {"endpointId", letter.key.endpoint.str()}};
}

// At once, unlike a replay by filter.
awaitable<http::Response> replay_dead_letter(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"replay", true});
    const auto letter = co_await find_dead_letter(context, principal, request);
    co_await resend(context, letter.application, letter.key.endpoint,
                    [&](store::Connection& connection) -> awaitable<MessageId> {
                        co_await audit(connection, context, principal, "dead-letter.replay",
                                       key_text(letter.key), audit_details(letter));
                        co_return letter.key.message;
                    });
    co_return http::json_response(202, json::object());
}

awaitable<http::Response> discard_dead_letter(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"replay", true});
    const auto letter = co_await find_dead_letter(context, principal, request);
    co_await change(context, {}, [&](store::Connection& connection) -> awaitable<void> {
        if (!co_await store::discard_dead_letter(connection, principal.organization, letter.application,
                                                 letter.key))
            throw not_found();
        co_await audit(connection, context, principal, "dead-letter.discard", key_text(letter.key),
                       audit_details(letter));
    });
    co_return http::empty_response(204);
}

awaitable<http::Response> discard_dead_letters(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"replay", true});
    Problems problems;
    auto choice = read_dead_letter_choice(QueryReader(request, problems));
    problems.throw_if_any();
    const auto filter = co_await dead_letter_filter(context, principal, request, std::move(choice));
    const auto subject = filter.application ? filter.application->str() : principal.organization.str();
    auto batch = co_await change(context, {}, [&](store::Connection& connection) -> awaitable<std::int64_t> {
        json::object details;
        if (filter.endpoint) details["endpointId"] = filter.endpoint->str();
        co_await audit(connection, context, principal, "dead-letter.discard", subject, std::move(details));
        co_return co_await store::discard_dead_letters(connection, filter);
    });
    auto discarded = batch;
    while (batch == store::dead_letters_a_batch) {
        auto connection = co_await context.pool.acquire();
        batch = co_await store::discard_dead_letters(*connection, filter);
        discarded += batch;
    }
    co_return http::json_response(200, json::object{{"discarded", discarded}});
}

}  // namespace

void add_dead_letter_routes(http::Router& router, Context& context) {
    using http::Method;
    for (const std::string_view pattern : {"/api/v1/dead-letter", "/api/v1/app/{app_id}/dead-letter"}) {
        add_route(router, context, Method::get, pattern, list_dead_letters);
        add_route(router, context, Method::del, pattern, discard_dead_letters);
        const auto one = std::string(pattern) + "/{dead_letter_id}";
        add_route(router, context, Method::get, one, get_dead_letter);
        add_route(router, context, Method::del, one, discard_dead_letter);
        add_route(router, context, Method::post, one + "/replay", replay_dead_letter);
    }
}

}  // namespace posthorn::admin
