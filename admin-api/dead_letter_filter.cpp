#include "admin-api/dead_letter_filter.hpp"

#include "admin-api/fields.hpp"
#include "admin-api/problems.hpp"
#include "store/application.hpp"
#include "store/endpoint.hpp"

namespace posthorn::admin {

using boost::asio::awaitable;

namespace {
constexpr TextRule reason_rule{.shortest = 1, .longest = 64, .name = true};
std::optional<domain::DeadLetterReason> parse_reason(const std::optional<std::string>& text,
                                                     Problems& problems, Problems::Location location) {
    if (!text) return std::nullopt;
    const auto reason = domain::parse_dead_letter_reason(*text);
    if (!reason)
        problems.add(
            std::move(location),
            "must be one of: exhausted, endpoint-disabled, gone, expired, aborted-by-receiver, undeliverable",
            "value_error.const");
    return reason;
}
}  // namespace

DeadLetterChoice read_dead_letter_choice(const QueryReader& query) {
    return {.endpoint = query.text("endpoint_id", uid_rule),
            .event_types = query.texts("event_types", event_types_rule),
            .reason = parse_reason(query.text("reason", reason_rule), query.problems(), {"query", "reason"}),
            .after = query.time("after"),
            .before = query.time("before")};
}

DeadLetterChoice read_dead_letter_choice(const ObjectReader& reader) {
    return {.endpoint = reader.text("endpointId", Need::nullable, uid_rule).value,
            .event_types = reader.texts("eventTypes", Need::nullable, event_types_rule).value,
            .reason = parse_reason(reader.text("reason", Need::nullable, reason_rule).value,
                                   reader.problems(), reader.location("reason")),
            .after = reader.time("after", Need::nullable).value,
            .before = reader.time("before", Need::nullable).value};
}

awaitable<store::DeadLetterFilter> dead_letter_filter(Context& context, const Principal& principal,
                                                      const http::Request& request, DeadLetterChoice choice) {
    store::DeadLetterFilter filter{.organization = principal.organization,
                                   .application = principal.application,
                                   .event_types = std::move(choice.event_types),
                                   .reason = choice.reason,
                                   .after = choice.after,
                                   .before = choice.before};
    if (request.parameters.contains("app_id")) {
        filter.application = co_await find_application(context, principal, request);
    } else if (principal.application) {
        // A token may name an application that is another organization's, or is deleted.
        const auto known =
            co_await store::find_application(context.pool, principal.organization, *principal.application);
        if (!known) throw not_found();
    }
    if (!choice.endpoint) co_return filter;
    filter.endpoint = EndpointId::parse(*choice.endpoint);
    if (filter.endpoint) co_return filter;
    if (!filter.application) {
        Problems problems;
        problems.add({request.method == http::Method::post ? "body" : "query", "endpoint_id"},
                     "must be an endpoint's id: a uid is only known within an application", "value_error.id");
        problems.throw_if_any();
    }
    filter.endpoint =
        co_await store::find_endpoint_by_uid(context.pool, *filter.application, *choice.endpoint);
    if (!filter.endpoint) throw not_found();
    co_return filter;
}

}  // namespace posthorn::admin
