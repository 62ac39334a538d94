#include "ingest/route.hpp"

#include "ingest/batch_route.hpp"
#include "ingest/decode.hpp"
#include "ingest/limits.hpp"
#include "ingest/submission.hpp"

namespace posthorn::ingest {

using boost::asio::awaitable;

namespace {

// Where the application is unknown and the body describes one, it is created, and the message sent once more.
awaitable<Answer> submit(const RouteContext& context, const http::Request& request, store::NewMessage message,
                         const std::string& new_application) {
    if (new_application.empty()) co_return co_await context.batcher.submit(std::move(message));
    auto answer = co_await context.batcher.submit(message);
    const auto* refusal = std::get_if<Refusal>(&answer);
    if (refusal == nullptr || *refusal != Refusal::unknown_application) co_return answer;
    co_await context.create_application(request, new_application);
    co_return co_await context.batcher.submit(std::move(message));
}

// Holds it to its event type's schema before. What breaks it is refused, unless it is an earlier message's
// repetition: that one was accepted under another schema.
awaitable<Answer> submit_checked(const RouteContext& context, const http::Request& request,
                                 store::NewMessage message, const std::string& new_application) {
    Answer answer = Refusal::schema_changed;
    for (int round = 0; round < limits::schema_rounds && answer == Answer(Refusal::schema_changed); ++round) {
        if (round > 0) co_await context.schemas.load(context.pool, message.organization, message.event_type);
        auto problems = co_await hold_to_schema(context.schemas, context.pool, message, {"body"});
        if (problems.empty()) {
            answer = co_await submit(context, request, message, new_application);
            continue;
        }
        if (has_key(message)) answer = co_await context.batcher.submit(message);
        if (answer == Answer(Refusal::schema_changed)) throw http::ValidationProblem{std::move(problems)};
    }
    co_return answer;
}

awaitable<http::Response> create_message(const RouteContext& context, http::Request& request) {
    const auto organization = co_await context.authenticate(request);
    const bool with_content = read_with_content(request);
    auto application = read_application(request);
    auto decoded =
        decode_message(request.body, request.fields.find("Idempotency-Key"), context.clock.system_now());
    const auto new_application = std::move(decoded.application);
    auto message = make_message(organization, std::move(application), std::move(decoded));
    http::Response response;
    response.status = 202;
    response.body = beginning_of_answer(message, with_content);
    const auto answer = co_await submit_checked(context, request, std::move(message), new_application);
    if (const auto* refusal = std::get_if<Refusal>(&answer)) throw to_problem(*refusal);
    response.body += end_of_answer(std::get<Accepted>(answer));
    co_return response;
}

}  // namespace

void add_routes(http::Router& router, RouteContext context) {
    router.add(http::Method::post, "/api/v1/app/{app_id}/msg",
               [context](http::Request& request) { return create_message(context, request); });
    router.add(http::Method::post, "/api/v1/app/{app_id}/msg/batch",
               [context](http::Request& request) { return create_messages(context, request); });
}

}  // namespace posthorn::ingest
