#include "store/endpoint.hpp"

#include <boost/json.hpp>

#include "admin-api/change.hpp"
#include "admin-api/endpoint_headers.hpp"
#include "admin-api/fields.hpp"
#include "admin-api/pagination.hpp"
#include "admin-api/routes.hpp"
#include "base/crash_point.hpp"
#include "domain/endpoint_url.hpp"
#include "domain/payload_filter.hpp"
#include "domain/signature.hpp"
#include "store/application.hpp"
#include "store/endpoint_change.hpp"
#include "store/endpoint_secret.hpp"

namespace posthorn::admin {

using boost::asio::awaitable;
namespace json = boost::json;

namespace {

constexpr std::string_view uid_taken = "another endpoint of the application has this uid";
constexpr int endpoint_version = 1;  // of the compatible API's endpoints: there is only one
constexpr TextRule url_rule{.shortest = 1, .longest = limits::url_characters};
constexpr TextRule secret_rule{.shortest = 1, .longest = 128};

json::object to_json(const store::Endpoint& endpoint) {
    return {{"id", endpoint.id.str()},
            {"uid", or_null(endpoint.uid)},
            {"url", endpoint.url},
            {"description", endpoint.description},
            {"eventTypes", or_null(endpoint.event_types)},
            {"filterTypes", or_null(endpoint.event_types)},
            {"version", endpoint_version},
            {"channels", or_null(endpoint.channels)},
            {"disabled", endpoint.disabled},
            {"disabledReason", or_null(endpoint.disabled_reason)},
            {"throttleRate", or_null(endpoint.rate_limit)},
            {"rateLimit", or_null(endpoint.rate_limit)},
            {"metadata", from_json_text(endpoint.metadata)},
            {"http2", endpoint.http2},
            {"ordered", endpoint.ordered},
            {"filter", endpoint.filter ? from_json_text(*endpoint.filter) : json::value(nullptr)},
            {"retrySchedule", or_null(endpoint.retry_schedule)},
            {"timeoutSeconds", or_null(endpoint.timeout_s)},
            {"createdAt", format_timestamp(endpoint.created_at)},
            {"updatedAt", format_timestamp(endpoint.updated_at)}};
}

enum class Mode : std::uint8_t { replace, patch };  // PUT, PATCH

struct EndpointFields {
    Field<std::string> url, uid, description;
    Field<std::vector<std::string>> event_types, channels;
    Field<bool> disabled, http2, ordered;
    Field<std::int32_t> rate, timeout;
    Field<std::vector<std::int32_t>> retry_schedule;
    Field<std::string> filter;
    Field<StringMap> metadata;
    Field<NullableStringMap> headers;
    Field<std::string> secret;  // at creation only
};

// The URL is stored normalised: what is shown is what is requested.
awaitable<void> check_url(Context& context, EndpointFields& fields, Problems& problems) {
    if (!fields.url) co_return;
    auto parsed = domain::parse_endpoint_url(*fields.url);
    if (const auto* error = std::get_if<domain::UrlError>(&parsed)) {
        problems.add({"body", "url"}, error->rule, "value_error.url");
        co_return;
    }
    auto& url = std::get<domain::EndpointUrl>(parsed);
    // A name that does not resolve yet is accepted: every attempt checks again.
    if (co_await context.host_checker.check(url.host) == egress::HostCheck::refused)
        problems.add(
            {"body", "url"},
            "points to an address that is not public; the operator can allow it (POSTHORN_ALLOW_NETWORKS)",
            "value_error.url.address");
    fields.url.value = std::move(url.text);
}

void check_secret(const EndpointFields& fields, Problems& problems) {
    if (!fields.secret) return;
    const auto key = domain::SigningKey::parse(*fields.secret);
    if (const auto* error = std::get_if<domain::SigningKey::Error>(&key))
        problems.add({"body", "secret"}, error->rule, "value_error.secret");
}

// As JSON text; a null takes the filter away.
Field<std::string> read_filter(const ObjectReader& reader) {
    const auto given = reader.object("filter", Need::nullable);
    if (!given) return {given.mentioned, std::nullopt};
    const auto note = [&](const std::vector<std::string>& pointer, std::string rule) {
        auto location = reader.location("filter");
        location.insert(location.end(), pointer.begin(), pointer.end());
        reader.problems().add(std::move(location), std::move(rule), "value_error.filter");
        return Field<std::string>{};
    };
    auto text = json::serialize(*given);
    if (text.size() > limits::filter_bytes)
        return note({}, fmt::format("must have at most {} bytes as JSON", limits::filter_bytes));
    const auto filter = domain::PayloadFilter::parse(*given);
    if (const auto* error = std::get_if<domain::FilterError>(&filter))
        return note(error->pointer, error->rule);
    return {true, std::move(text)};
}

// At most the service's own timeout: shutdown and the leases count on that.
Field<std::int32_t> read_timeout(const ObjectReader& reader, const Context& context) {
    const auto longest = std::chrono::duration_cast<std::chrono::seconds>(context.request_timeout).count();
    const auto given = reader.integer("timeoutSeconds", Need::nullable, 1, longest);
    Field<std::int32_t> field{given.mentioned, std::nullopt};
    if (given) field.value = static_cast<std::int32_t>(*given);
    return field;
}

// `url` is optional in a PATCH, in which a header may be null, too.
EndpointFields read_fields(const Context& context, const http::Request& request, Problems& problems,
                           Need url) {
    const auto body = parse_body(request);
    const ObjectReader reader(body, problems);
    return {
        .url = reader.text("url", url, url_rule),
        .uid = read_uid<EndpointId>(reader),
        .description = reader.text("description", Need::optional, description_rule),
        .event_types = read_event_types(reader),
        .channels = reader.texts("channels", Need::nullable, endpoint_channels_rule),
        .disabled = reader.boolean("disabled", Need::optional),
        .http2 = reader.boolean("http2", Need::optional),
        .ordered = reader.boolean("ordered", Need::optional),
        .rate = read_rate(reader),
        .timeout = read_timeout(reader, context),
        .retry_schedule = reader.integers("retrySchedule", Need::nullable, 0, limits::retries_per_schedule, 1,
                                          static_cast<std::int32_t>(limits::longest_retry_delay.count())),
        .filter = read_filter(reader),
        .metadata = read_metadata(reader),
        .headers = read_headers(reader, Need::optional, url == Need::optional),
        .secret = reader.text("secret", Need::nullable, secret_rule)};
}

// What the compatible API does not know of, and a client written for it does not mention: it stays then.
void patch_own_fields(store::Endpoint& endpoint, const EndpointFields& fields) {
    fields.http2.patch(endpoint.http2);
    fields.ordered.patch(endpoint.ordered);
    fields.filter.patch(endpoint.filter);
    fields.retry_schedule.patch(endpoint.retry_schedule);
    fields.timeout.patch(endpoint.timeout_s);
}

// For POST and PUT: what is not mentioned gets its default.
void replace(store::Endpoint& endpoint, const EndpointFields& fields) {
    endpoint.url = *fields.url;
    endpoint.uid = fields.uid.value;
    endpoint.description = fields.description.value_or("");
    endpoint.event_types = fields.event_types.value;
    endpoint.channels = fields.channels.value;
    endpoint.disabled = fields.disabled.value_or(false);
    endpoint.rate_limit = fields.rate.value;
    endpoint.metadata = to_json_text(fields.metadata.value_or({}));
    patch_own_fields(endpoint, fields);
}

void patch(store::Endpoint& endpoint, const EndpointFields& fields) {
    fields.url.patch(endpoint.url);
    fields.uid.patch(endpoint.uid);
    fields.description.patch(endpoint.description);
    fields.event_types.patch(endpoint.event_types);
    fields.channels.patch(endpoint.channels);
    fields.disabled.patch(endpoint.disabled);
    patch_own_fields(endpoint, fields);
    fields.rate.patch(endpoint.rate_limit);
    if (fields.metadata) endpoint.metadata = to_json_text(*fields.metadata);
}

// Of a URL that stems from before a rule that it breaks nothing is known: whatever follows is another.
std::string origin_of(const std::string& url) {
    const auto parsed = domain::parse_endpoint_url(url);
    const auto* known = std::get_if<domain::EndpointUrl>(&parsed);
    return known ? domain::origin_of(*known) : std::string();
}

// What became of an endpoint besides what was asked for, for the answer and the audit log.
struct Move {
    std::string origin;                        // where its URL leads now; empty: where it did before
    std::vector<std::string> dropped_headers;  // names
};

// Credentials stay with the origin that they were given for (docs/decisions/0008); those that come with the
// very request are for the new one.
Move move_headers(const Context& context, const store::Endpoint& before, store::Endpoint& after,
                  const EndpointFields& fields, Mode mode) {
    Move move;
    if (const auto origin = origin_of(after.url); origin != origin_of(before.url)) move.origin = origin;
    if (move.origin.empty() && !fields.headers) return move;
    auto headers = open_headers(context.secret_box, before);
    if (!move.origin.empty()) move.dropped_headers = drop_sensitive_headers(headers);
    if (fields.headers && mode == Mode::replace) {
        replace_headers(headers, *fields.headers);
    } else if (fields.headers) {
        Problems problems;
        patch_headers(headers, *fields.headers, problems);
        problems.throw_if_any();
    }
    std::erase_if(move.dropped_headers, [&](const std::string& name) { return headers.contains(name); });
    after.headers = seal_headers(context.secret_box, after.id, headers);
    return move;
}

void settle_disabled_reason(const store::Endpoint& before, store::Endpoint& after) {
    if (!after.disabled)
        after.disabled_reason.reset();
    else if (!before.disabled)
        after.disabled_reason = store::disabled_reason::manual;
}

store::Endpoint new_endpoint(const Context& context, const EndpointFields& fields) {
    store::Endpoint endpoint;
    endpoint.id = EndpointId::make(context.clock.system_now());
    replace(endpoint, fields);
    if (endpoint.disabled) endpoint.disabled_reason = store::disabled_reason::manual;
    if (fields.headers) {
        EndpointHeaders headers;
        replace_headers(headers, *fields.headers);
        endpoint.headers = seal_headers(context.secret_box, endpoint.id, headers);
    }
    return endpoint;
}

std::string new_secret(const Context& context, EndpointId endpoint, const EndpointFields& fields) {
    const auto key = fields.secret ? std::get<domain::SigningKey>(domain::SigningKey::parse(*fields.secret))
                                   : domain::SigningKey::generate(domain::SigningKey::Kind::hmac_sha256);
    return context.secret_box.seal(endpoint, key.text().reveal());
}

awaitable<store::Endpoint> insert(store::Connection& connection, const Context& context,
                                  const Principal& principal, ApplicationId application,
                                  const store::Endpoint& endpoint, const std::string& sealed_secret) {
    if (!co_await store::lock_application(connection, principal.organization, application)) throw not_found();
    auto stored = co_await store::insert_endpoint(connection, principal.organization, application, endpoint);
    co_await store::insert_endpoint_secret(connection, stored.id,
                                           EndpointSecretId::make(context.clock.system_now()), sealed_secret);
    co_await store::record_endpoint_changes(connection, {stored.id});
    co_await audit(connection, context, principal, "endpoint.create", stored.id.str(),
                   {{"application", application.str()}, {"disabled", stored.disabled}});
    co_return stored;
}

awaitable<store::Endpoint> create(Context& context, const Principal& principal, ApplicationId application,
                                  EndpointFields fields) {
    const auto endpoint = new_endpoint(context, fields);
    const auto sealed_secret = new_secret(context, endpoint.id, fields);
    co_return co_await change(context, std::string(uid_taken), [&](store::Connection& connection) {
        return insert(connection, context, principal, application, endpoint, sealed_secret);
    });
}

struct Changed {
    store::Endpoint endpoint;
    Move move;
};

json::object answer_of(const Changed& changed) {
    auto answer = to_json(changed.endpoint);
    if (!changed.move.dropped_headers.empty())
        answer["droppedHeaders"] = json::value_from(changed.move.dropped_headers);
    return answer;
}

json::object audit_details(ApplicationId application, const Changed& changed, const EndpointFields& fields) {
    json::object details{{"application", application.str()}, {"disabled", changed.endpoint.disabled}};
    if (fields.headers) details["headers"] = "changed";
    if (changed.move.origin.empty()) return details;
    details["origin"] = changed.move.origin;
    details["droppedHeaders"] = json::value_from(changed.move.dropped_headers);
    return details;
}

awaitable<Changed> update(store::Connection& connection, const Context& context, const Principal& principal,
                          ApplicationId application, EndpointId id, const EndpointFields& fields, Mode mode) {
    const auto before = co_await store::load_endpoint_for_update(connection, application, id);
    if (!before) throw not_found();
    auto after = *before;
    mode == Mode::replace ? replace(after, fields) : patch(after, fields);
    settle_disabled_reason(*before, after);
    auto move = move_headers(context, *before, after, fields, mode);
    auto written = co_await store::update_endpoint(connection, application, after);
    if (!written) throw not_found();
    if (before->ordered != after.ordered)
        co_await store::mark_deliveries_ordered(connection, application, id, after.ordered);
    co_await store::record_endpoint_changes(connection, {id});
    Changed changed{*std::move(written), std::move(move)};
    co_await audit(connection, context, principal, "endpoint.update", id.str(),
                   audit_details(application, changed, fields));
    crash_point(CrashPoint::change_before_commit);
    co_return changed;
}

awaitable<Changed> modify(Context& context, const Principal& principal, ApplicationId application,
                          EndpointId id, const EndpointFields& fields, Mode mode) {
    auto changed = co_await change(context, std::string(uid_taken), [&](store::Connection& connection) {
        return update(connection, context, principal, application, id, fields, mode);
    });
    crash_point(CrashPoint::change_committed);
    co_await store::await_acknowledged(context.pool, {id});
    crash_point(CrashPoint::change_confirmed);
    co_return changed;
}

awaitable<http::Response> create_endpoint(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"endpoint", true});
    const auto application = co_await find_application(context, principal, request);
    Problems problems;
    auto fields = read_fields(context, request, problems, Need::required);
    check_secret(fields, problems);
    co_await check_url(context, fields, problems);
    problems.throw_if_any();
    co_return http::json_response(
        201, to_json(co_await create(context, principal, application, std::move(fields))));
}

awaitable<http::Response> list_endpoints(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"endpoint", false});
    const auto application = co_await find_application(context, principal, request);
    Problems problems;
    const auto page = read_page<EndpointId>(QueryReader(request, problems), Order::ascending);
    problems.throw_if_any();
    auto rows = co_await store::list_endpoints(context.pool, application, scan_of(page));
    co_return page_response(
        page, std::move(rows), [](const store::Endpoint& row) { return row.id.str(); }, to_json);
}

awaitable<http::Response> get_endpoint(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"endpoint", false});
    const auto application = co_await find_application(context, principal, request);
    const auto id = co_await find_endpoint(context, application, request);
    const auto endpoint = co_await store::load_endpoint(context.pool, application, id);
    if (!endpoint) throw not_found();
    co_return http::json_response(200, to_json(*endpoint));
}

awaitable<http::Response> put_endpoint(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"endpoint", true});
    const auto application = co_await find_application(context, principal, request);
    Problems problems;
    auto fields = read_fields(context, request, problems, Need::required);
    check_secret(fields, problems);
    co_await check_url(context, fields, problems);
    problems.throw_if_any();
    const auto& key = request.parameter("endpoint_id");
    // Whoever asks by uid and doesn't mention the uid keeps it; so the same PUT twice does the same twice.
    if (!fields.uid.mentioned && !EndpointId::parse(key)) fields.uid = {true, key};
    for (int tries = 2;; --tries) {
        if (const auto id = co_await find_endpoint_if_any(context, application, request)) {
            const auto changed = co_await modify(context, principal, application, *id, fields, Mode::replace);
            co_return http::json_response(200, answer_of(changed));
        }
        if (EndpointId::parse(key)) throw not_found();
        check_text(key, uid_rule, {"path", "endpoint_id"}, problems);
        if (fields.uid.value != key)
            problems.add({"body", "uid"}, "must be the path's uid where that is new");
        problems.throw_if_any();
        try {
            co_return http::json_response(201,
                                          to_json(co_await create(context, principal, application, fields)));
        } catch (const http::Problem& problem) {
            if (problem.status != 409 || tries == 1) throw;
        }
    }
}

awaitable<http::Response> patch_endpoint(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"endpoint", true});
    const auto application = co_await find_application(context, principal, request);
    const auto id = co_await find_endpoint(context, application, request);
    Problems problems;
    auto fields = read_fields(context, request, problems, Need::optional);
    co_await check_url(context, fields, problems);
    problems.throw_if_any();
    const auto changed = co_await modify(context, principal, application, id, fields, Mode::patch);
    co_return http::json_response(200, answer_of(changed));
}

awaitable<void> delete_row(store::Connection& connection, const Context& context, const Principal& principal,
                           ApplicationId application, EndpointId id) {
    if (!co_await store::delete_endpoint(connection, application, id)) throw not_found();
    co_await store::record_endpoint_changes(connection, {id});
    co_await audit(connection, context, principal, "endpoint.delete", id.str(),
                   {{"application", application.str()}});
}

awaitable<http::Response> delete_endpoint(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"endpoint", true});
    const auto application = co_await find_application(context, principal, request);
    const auto id = co_await find_endpoint(context, application, request);
    co_await change(context, {}, [&](store::Connection& connection) {
        return delete_row(connection, context, principal, application, id);
    });
    crash_point(CrashPoint::change_committed);
    co_await store::await_acknowledged(context.pool, {id});
    crash_point(CrashPoint::change_confirmed);
    co_return http::empty_response(204);
}

}  // namespace

void add_endpoint_routes(http::Router& router, Context& context) {
    using http::Method;
    for (const auto all : endpoint_paths) {
        const auto one = std::string(all) + "/{endpoint_id}";
        add_route(router, context, Method::get, all, list_endpoints);
        add_route(router, context, Method::post, all, create_endpoint);
        add_route(router, context, Method::get, one, get_endpoint);
        add_route(router, context, Method::put, one, put_endpoint);
        add_route(router, context, Method::patch, one, patch_endpoint);
        add_route(router, context, Method::del, one, delete_endpoint);
    }
}

}  // namespace posthorn::admin
