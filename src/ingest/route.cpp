#include "ingest/route.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <stdexcept>

#include "base/timestamp.hpp"
#include "domain/endpoint_filter.hpp"
#include "ingest/decode.hpp"
#include "ingest/limits.hpp"

namespace posthorn::ingest {

using boost::asio::awaitable;

namespace {

http::Problem not_found() { return {404, "not_found", "Entity not found"}; }

http::Problem unavailable(std::string detail) {
    http::Problem problem{503, "service_unavailable", std::move(detail)};
    problem.fields.add("Retry-After", "1");
    return problem;
}

http::Problem to_problem(Refusal refusal) {
    switch (refusal) {
        case Refusal::unknown_application:
            return not_found();
        case Refusal::idempotency_key_reused:
            return {422, "idempotency_key_reused",
                    "This Idempotency-Key was used for a message with another body. Send a new message with "
                    "a new key."};
        case Refusal::event_id_taken:
            return {409, "conflict", "This eventId belongs to a message with another body."};
        case Refusal::keys_disagree:
            return {409, "conflict", "The Idempotency-Key and the eventId belong to two different messages."};
        case Refusal::queue_full:
            return unavailable(
                "More messages wait to be stored than the server takes. Nothing was stored; send it again "
                "later.");
        case Refusal::not_stored:
            return unavailable(
                "The database could not be reached in time. Nothing was stored; send it again later.");
        case Refusal::not_storable:
            return {500, "internal_error", "The message could not be stored. The server's log says why."};
        case Refusal::unknown:
            return unavailable(
                "The database did not answer in time, and the message may be stored or not. Send it again "
                "with the same "
                "Idempotency-Key or eventId: then it is stored once.");
    }
    throw std::logic_error("a refusal without an answer");
}

store::ApplicationReference read_application(const http::Request& request) {
    const auto& text = request.parameter("app_id");
    if (const auto id = ApplicationId::parse(text)) return *id;
    if (!domain::is_valid_name(text, limits::application_uid_characters)) throw not_found();
    return text;
}

bool read_with_content(const http::Request& request) {
    const auto value = request.query_value("with_content");
    if (!value || value->empty() || *value == "true") return true;
    if (*value == "false") return false;
    throw http::ValidationProblem{{{{"query", "with_content"}, "must be true or false", "type_error.bool"}}};
}

store::NewMessage make_message(OrganizationId organization, store::ApplicationReference application,
                               DecodedMessage decoded) {
    return {.id = {},
            .organization = organization,
            .application = std::move(application),
            .event_type = std::move(decoded.event_type),
            .channels = std::move(decoded.channels),
            .event_id = std::move(decoded.event_id),
            .idempotency_key = std::move(decoded.idempotency_key),
            .body_hash = std::move(decoded.body_hash),
            .payload = std::make_shared<const std::string>(std::move(decoded.payload)),
            .tags = std::move(decoded.tags),
            .extras = domain::make_extras(std::move(decoded.extras))};
}

// Names hold no character that JSON escapes.
std::string names_or_null(const std::vector<std::string>& names) {
    return names.empty() ? "null" : fmt::format("[\"{}\"]", fmt::join(names, "\",\""));
}

// Everything of the answer but the id and what follows from it.
std::string beginning_of_answer(const store::NewMessage& message, bool with_content) {
    const auto event_id = message.event_id ? fmt::format("\"{}\"", *message.event_id) : "null";
    std::string deliver_at = "null", raw;
    if (message.extras && message.extras->deliver_at)
        deliver_at = fmt::format("\"{}\"", format_timestamp(*message.extras->deliver_at));
    std::string_view payload = with_content ? std::string_view(*message.payload) : "{}";
    if (with_content && message.extras && message.extras->raw)
        payload = raw = boost::json::serialize(boost::json::string(*message.payload));
    return fmt::format(
        R"({{"eventType":"{}","eventId":{},"channels":{},"tags":{},"deliverAt":{},"payload":{})",
        message.event_type, event_id, names_or_null(message.channels), names_or_null(message.tags),
        deliver_at, payload);
}

std::string end_of_answer(const Answer& answer) {
    const auto id = std::get<Accepted>(answer).id;
    return fmt::format(R"(,"id":"{}","timestamp":"{}"}})", id.str(),
                       format_timestamp(uuid_v7_time(id.value)));
}

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
    const auto answer = co_await submit(context, request, std::move(message), new_application);
    if (const auto* refusal = std::get_if<Refusal>(&answer)) throw to_problem(*refusal);
    response.body += end_of_answer(answer);
    co_return response;
}

// What a batch's message got: {"status": ..., "message": {...}}, or {"status": ..., "error": as if it had
// been sent alone}.
std::string verdict_text(int status, std::string_view name, std::string_view content) {
    return fmt::format(R"({{"status":{},"{}":{}}})", status, name, content);
}
std::string verdict_text(const http::Response& failure) {
    return verdict_text(failure.status, "error", failure.body);
}

enum class BatchMode { each, all };

BatchMode read_mode(const http::Request& request) {
    const auto value = request.query_value("mode");
    if (!value || value->empty() || *value == "each") return BatchMode::each;
    if (*value == "all") return BatchMode::all;
    throw http::ValidationProblem{{{{"query", "mode"}, "must be one of: each, all", "value_error.enum"}}};
}

struct Batch {
    std::vector<std::string> verdicts;  // by place; empty where the message goes on to be stored
    std::vector<std::size_t> places;    // of these messages
    std::vector<std::string> answers;   // how their answers begin
    std::vector<store::NewMessage> messages;
};

Batch decode_batch(const http::Request& request, OrganizationId organization, BatchMode mode,
                   SystemTime now) {
    const bool with_content = read_with_content(request);
    const auto application = read_application(request);
    const auto items = split_batch(request.body);
    Batch batch;
    batch.verdicts.resize(items.size());
    http::ValidationProblem invalid;
    for (std::size_t i = 0; i < items.size(); ++i) {
        try {
            auto message = make_message(organization, application,
                                        decode_message(items[i].body, nullptr, now, items[i].at));
            batch.places.push_back(i);
            batch.answers.push_back(beginning_of_answer(message, with_content));
            batch.messages.push_back(std::move(message));
        } catch (const http::ValidationProblem& problem) {
            batch.verdicts[i] = verdict_text(http::to_response(problem));
            invalid.problems.insert(invalid.problems.end(), problem.problems.begin(), problem.problems.end());
        }
    }
    if (mode == BatchMode::all && !invalid.problems.empty()) throw invalid;
    return batch;
}

// Each message has its own verdict; with mode=all none is stored if one of them is invalid.
awaitable<http::Response> create_messages(const RouteContext& context, http::Request& request) {
    const auto organization = co_await context.authenticate(request);
    auto batch = decode_batch(request, organization, read_mode(request), context.clock.system_now());
    const auto answers = co_await context.batcher.submit_all(std::move(batch.messages));
    std::size_t unknown_application = 0;
    for (std::size_t i = 0; i < answers.size(); ++i) {
        const auto* refusal = std::get_if<Refusal>(&answers[i]);
        if (refusal != nullptr && *refusal == Refusal::unknown_application) ++unknown_application;
        batch.verdicts[batch.places[i]] =
            refusal != nullptr ? verdict_text(http::to_response(to_problem(*refusal)))
                               : verdict_text(202, "message", batch.answers[i] + end_of_answer(answers[i]));
    }
    if (!answers.empty() && unknown_application == answers.size()) throw not_found();
    http::Response response;
    response.status = 202;
    response.body = fmt::format(R"({{"data":[{}]}})", fmt::join(batch.verdicts, ","));
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
