#include "ingest/submission.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <stdexcept>

#include "base/timestamp.hpp"
#include "domain/endpoint_filter.hpp"
#include "ingest/limits.hpp"

namespace posthorn::ingest {

namespace {

http::Problem unavailable(std::string detail) {
    http::Problem problem{503, "service_unavailable", std::move(detail)};
    problem.fields.add("Retry-After", "1");
    return problem;
}

// Names hold no character that JSON escapes.
std::string names_or_null(const std::vector<std::string>& names) {
    return names.empty() ? "null" : fmt::format("[\"{}\"]", fmt::join(names, "\",\""));
}

}  // namespace

http::Problem not_found() { return {404, "not_found", "Entity not found"}; }

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
        case Refusal::schema_changed:
            return unavailable(
                "The event type's schema changes while the message is to be stored. Nothing was stored; send "
                "it again "
                "later.");
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

std::string end_of_answer(Accepted accepted) {
    const auto id = accepted.id;
    return fmt::format(R"(,"id":"{}","timestamp":"{}"}})", id.str(),
                       format_timestamp(uuid_v7_time(id.value)));
}

}  // namespace posthorn::ingest
