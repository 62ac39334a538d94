#include <boost/json.hpp>

#include "admin-api/change.hpp"
#include "admin-api/dead_letter_filter.hpp"
#include "admin-api/fields.hpp"
#include "admin-api/messages.hpp"
#include "admin-api/pagination.hpp"
#include "admin-api/replay_jobs.hpp"
#include "admin-api/resending.hpp"
#include "admin-api/routes.hpp"
#include "base/timestamp.hpp"
#include "store/endpoint.hpp"
#include "store/replay_job.hpp"

namespace posthorn::admin {

using boost::asio::awaitable;
namespace json = boost::json;

namespace {

constexpr std::int64_t highest_replay_rate_per_second = 10'000;

json::object audit_details(const store::ReplayJobRow& job) {
    json::object details{{"kind", task_word(job.kind)}};
    if (job.application) details["application"] = job.application->str();
    if (job.endpoint) details["endpointId"] = job.endpoint->str();
    return details;
}

awaitable<store::ReplayJobRow> start_job(Context& context, const Principal& principal, store::ReplayKind kind,
                                         store::DeadLetterFilter filter, std::int32_t rate_limit,
                                         store::MessageChoice messages = {}) {
    const auto id = ReplayJobId::make(context.clock.system_now());
    co_return co_await change(
        context, {}, [&](store::Connection& connection) -> awaitable<store::ReplayJobRow> {
            auto job = co_await store::insert_replay_job(connection, id, kind, filter, rate_limit, messages);
            co_await audit(connection, context, principal, "replay.start", id.str(), audit_details(job));
            co_return job;
        });
}

// What is on its way is not replayed, so there is nothing to choose by the other numbers.
store::MessageChoice read_message_choice(const ObjectReader& reader) {
    store::MessageChoice choice{reader.text("channel", Need::nullable, channel_rule).value,
                                reader.text("tag", Need::nullable, tag_rule).value};
    const auto number = reader.integer("status", Need::nullable, 0, 2);
    if (!number) return choice;
    choice.status = static_cast<store::MessageStatus>(*number);
    if (choice.status == store::MessageStatus::pending)
        reader.problems().add(reader.location("status"),
                              "must be 0 (success) or 2 (fail): what is on its way is not replayed",
                              "value_error.const");
    return choice;
}

awaitable<http::Response> resend_message(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"replay", true});
    const auto application = co_await find_application(context, principal, request);
    const auto message = co_await find_message(context, application, request, false);
    const auto endpoint = co_await find_endpoint(context, application, request);
    co_await resend(context, application, endpoint,
                    [&](store::Connection& connection) -> awaitable<MessageId> {
                        co_await audit(connection, context, principal, "message.resend", message.id.str(),
                                       {{"application", application.str()}, {"endpointId", endpoint.str()}});
                        co_return message.id;
                    });
    co_return http::json_response(202, json::object());
}

// What one endpoint gets again, of a time: dead letters, what it never got, or everything.
awaitable<http::Response> replay_to_endpoint(Context& context, http::Request& request,
                                             store::ReplayKind kind) {
    const auto principal = co_await authenticate(context, request, {"replay", true});
    const auto application = co_await find_application(context, principal, request);
    const auto id = co_await find_endpoint(context, application, request);
    Problems problems;
    const auto body = parse_body(request);
    const ObjectReader reader(body, problems);
    const auto since = reader.time("since", Need::required);
    const auto until = reader.time("until", Need::nullable);
    if (since && until && *until <= *since)
        problems.add({"body", "until"}, "must be after since", "value_error.datetime");
    const auto rate = reader.integer("rateLimit", Need::nullable, 1, highest_replay_rate_per_second);
    auto event_types = reader.texts("eventTypes", Need::nullable, event_types_rule);
    store::MessageChoice messages;
    if (kind == store::ReplayKind::all) messages = read_message_choice(reader);
    problems.throw_if_any();
    const auto endpoint = co_await store::load_endpoint(context.pool, application, id);
    if (!endpoint) throw not_found();
    if (endpoint->disabled) throw endpoint_disabled();
    // What comes from now on is delivered in any case.
    const bool of_messages = kind == store::ReplayKind::missing || kind == store::ReplayKind::all;
    const auto before = of_messages && !until ? context.clock.system_now() : until.value;
    const auto job = co_await start_job(context, principal, kind,
                                        {.organization = principal.organization,
                                         .application = application,
                                         .endpoint = id,
                                         .event_types = std::move(event_types.value),
                                         .after = since.value,
                                         .before = before},
                                        static_cast<std::int32_t>(rate.value_or(0)), std::move(messages));
    auto task = task_json(job);
    task["updatedAt"] = format_timestamp(job.updated_at);
    co_return http::json_response(202, task);
}

awaitable<http::Response> recover(Context& context, http::Request& request) {
    return replay_to_endpoint(context, request, store::ReplayKind::recover);
}
awaitable<http::Response> replay_missing(Context& context, http::Request& request) {
    return replay_to_endpoint(context, request, store::ReplayKind::missing);
}
awaitable<http::Response> replay_all(Context& context, http::Request& request) {
    return replay_to_endpoint(context, request, store::ReplayKind::all);
}

awaitable<http::Response> replay_dead_letters(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"replay", true});
    Problems problems;
    const auto body = parse_body(request);
    const ObjectReader reader(body, problems);
    auto choice = read_dead_letter_choice(reader);
    const auto rate = reader.integer("rateLimit", Need::nullable, 1, highest_replay_rate_per_second);
    problems.throw_if_any();
    auto filter = co_await dead_letter_filter(context, principal, request, std::move(choice));
    const auto job = co_await start_job(context, principal, store::ReplayKind::dead_letters,
                                        std::move(filter), static_cast<std::int32_t>(rate.value_or(0)));
    co_return http::json_response(202, to_json(job));
}

awaitable<http::Response> list_replays(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"replay", false});
    Problems problems;
    const auto page = read_page<ReplayJobId>(QueryReader(request, problems), Order::descending);
    problems.throw_if_any();
    auto rows = co_await store::list_replay_jobs(context.pool, principal.organization,
                                                 {.application = principal.application}, scan_of(page));
    co_return page_response(
        page, std::move(rows), [](const store::ReplayJobRow& row) { return row.id.str(); },
        [](const store::ReplayJobRow& row) { return to_json(row); });
}

awaitable<store::ReplayJobRow> find_job(Context& context, const Principal& principal,
                                        const http::Request& request) {
    const auto id = ReplayJobId::parse(request.parameter("replay_id"));
    if (!id) throw not_found();
    auto job =
        co_await store::find_replay_job(context.pool, principal.organization, principal.application, *id);
    if (!job) throw not_found();
    co_return std::move(*job);
}

awaitable<http::Response> get_replay(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"replay", false});
    co_return http::json_response(200, to_json(co_await find_job(context, principal, request)));
}

// Twice is as good as once; what has been replayed by then stays replayed.
awaitable<http::Response> cancel_replay(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"replay", true});
    auto job = co_await find_job(context, principal, request);
    co_await change(context, {}, [&](store::Connection& connection) -> awaitable<void> {
        if (co_await store::cancel_replay_job(connection, principal.organization, principal.application,
                                              job.id))
            co_await audit(connection, context, principal, "replay.cancel", job.id.str(), audit_details(job));
    });
    job = co_await find_job(context, principal, request);
    if (job.state == store::ReplayState::finished) throw conflict("the replay has finished already");
    co_return http::json_response(200, to_json(job));
}

}  // namespace

void add_replay_routes(http::Router& router, Context& context) {
    using http::Method;
    add_route(router, context, Method::post,
              "/api/v1/app/{app_id}/msg/{msg_id}/endpoint/{endpoint_id}/resend", resend_message);
    add_route(router, context, Method::post, "/api/v1/app/{app_id}/endpoint/{endpoint_id}/recover", recover);
    add_route(router, context, Method::post, "/api/v1/app/{app_id}/endpoint/{endpoint_id}/replay-missing",
              replay_missing);
    add_route(router, context, Method::post, "/api/v1/app/{app_id}/endpoint/{endpoint_id}/bulk-replay",
              replay_all);
    add_route(router, context, Method::post, "/api/v1/dead-letter/replay", replay_dead_letters);
    add_route(router, context, Method::post, "/api/v1/app/{app_id}/dead-letter/replay", replay_dead_letters);
    add_route(router, context, Method::get, "/api/v1/replay", list_replays);
    add_route(router, context, Method::get, "/api/v1/replay/{replay_id}", get_replay);
    add_route(router, context, Method::post, "/api/v1/replay/{replay_id}/cancel", cancel_replay);
}

}  // namespace posthorn::admin
