#include "store/application.hpp"

#include <boost/json.hpp>

#include "admin-api/applications.hpp"
#include "admin-api/change.hpp"
#include "admin-api/fields.hpp"
#include "admin-api/pagination.hpp"
#include "admin-api/routes.hpp"
#include "store/endpoint.hpp"
#include "store/endpoint_change.hpp"

namespace posthorn::admin {

using boost::asio::awaitable;
namespace json = boost::json;

namespace {

constexpr TextRule name_rule{.shortest = 1, .longest = limits::name_characters};
constexpr std::string_view uid_taken = "another application has this uid";

json::object to_json(const store::Application& application) {
    return {{"id", application.id.str()},
            {"uid", or_null(application.uid)},
            {"name", application.name},
            {"throttleRate", or_null(application.rate_limit)},
            {"rateLimit", or_null(application.rate_limit)},
            {"metadata", from_json_text(application.metadata)},
            {"createdAt", format_timestamp(application.created_at)},
            {"updatedAt", format_timestamp(application.updated_at)}};
}

struct ApplicationFields {
    Field<std::string> name, uid;
    Field<std::int32_t> rate;
    Field<StringMap> metadata;
};

ApplicationFields read_fields(const ObjectReader& reader, Need name) {
    ApplicationFields fields{reader.text("name", name, name_rule), read_uid<ApplicationId>(reader),
                             read_rate(reader), read_metadata(reader)};
    if (fields.uid && *fields.uid == store::operational_uid)
        reader.problems().add(reader.location("uid"), "is reserved", "value_error.uid");
    return fields;
}
ApplicationFields read_fields(const http::Request& request, Problems& problems, Need name) {
    const auto body = parse_body(request);
    return read_fields(ObjectReader(body, problems), name);
}

// For POST and PUT: what is not mentioned gets its default.
void replace(store::Application& application, const ApplicationFields& fields) {
    application.name = *fields.name;
    application.uid = fields.uid.value;
    application.rate_limit = fields.rate.value;
    application.metadata = to_json_text(fields.metadata.value_or({}));
}

void patch(store::Application& application, const ApplicationFields& fields) {
    fields.name.patch(application.name);
    fields.uid.patch(application.uid);
    fields.rate.patch(application.rate_limit);
    if (fields.metadata) application.metadata = to_json_text(*fields.metadata);
}

awaitable<store::Application> insert(store::Connection& connection, const Context& context,
                                     const Principal& principal, const store::Application& application) {
    auto stored = co_await store::insert_application(connection, principal.organization, application);
    co_await audit(connection, context, principal, "application.create", stored.id.str());
    co_return stored;
}

awaitable<store::Application> create(Context& context, const Principal& principal, ApplicationFields fields) {
    store::Application application;
    application.id = ApplicationId::make(context.clock.system_now());
    replace(application, fields);
    co_return co_await change(context, std::string(uid_taken), [&](store::Connection& connection) {
        return insert(connection, context, principal, application);
    });
}

template <class Apply>
awaitable<store::Application> update(store::Connection& connection, const Context& context,
                                     const Principal& principal, ApplicationId id, const Apply& apply) {
    auto application = co_await store::load_application_for_update(connection, principal.organization, id);
    if (!application) throw not_found();
    const auto rate_before = application->rate_limit;
    apply(*application);
    const auto stored =
        co_await store::update_application(connection, principal.organization, std::move(*application));
    if (!stored) throw not_found();
    if (stored->rate_limit != rate_before)
        co_await store::record_endpoint_changes(connection,
                                                co_await store::list_endpoint_ids(connection, id));
    co_await audit(connection, context, principal, "application.update", id.str());
    co_return *stored;
}

template <class Apply>
awaitable<store::Application> modify(Context& context, const Principal& principal, ApplicationId id,
                                     Apply apply) {
    co_return co_await change(context, std::string(uid_taken), [&](store::Connection& connection) {
        return update(connection, context, principal, id, apply);
    });
}

awaitable<http::Response> create_application(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"application", true});
    require_organization(principal);
    Problems problems;
    const auto fields = read_fields(request, problems, Need::required);
    const bool get_if_exists = QueryReader(request, problems).boolean("get_if_exists", false);
    problems.throw_if_any();
    // Once more after a conflict: another call may create it between our look and our insert.
    for (int tries = 2;; --tries) {
        if (get_if_exists && fields.uid) {
            const auto id =
                co_await store::find_application_by_uid(context.pool, principal.organization, *fields.uid);
            const auto existing =
                id ? co_await store::load_application(context.pool, principal.organization, *id)
                   : std::nullopt;
            if (existing) co_return http::json_response(200, to_json(*existing));
        }
        try {
            co_return http::json_response(201, to_json(co_await create(context, principal, fields)));
        } catch (const http::Problem& problem) {
            if (problem.status != 409 || !get_if_exists || tries == 1) throw;
        }
    }
}

awaitable<http::Response> list_applications(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"application", false});
    require_organization(principal);
    Problems problems;
    const auto page = read_page<ApplicationId>(QueryReader(request, problems), Order::ascending);
    problems.throw_if_any();
    auto rows = co_await store::list_applications(context.pool, principal.organization, scan_of(page));
    co_return page_response(
        page, std::move(rows), [](const store::Application& row) { return row.id.str(); }, to_json);
}

awaitable<http::Response> get_application(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"application", false});
    const auto id = co_await find_application(context, principal, request);
    const auto application = co_await store::load_application(context.pool, principal.organization, id);
    if (!application) throw not_found();
    co_return http::json_response(200, to_json(*application));
}

// Whoever asks by uid and doesn't mention the uid keeps it; so the same PUT twice does the same twice.
void keep_uid_of_path(ApplicationFields& fields, const std::string& key) {
    if (!fields.uid.mentioned && !ApplicationId::parse(key)) fields.uid = {true, key};
}

// Creates what the path names; throws Problem 409 where another call was faster.
awaitable<store::Application> create_at_path(Context& context, const Principal& principal,
                                             const http::Request& request, const ApplicationFields& fields,
                                             const Problems::Location& uid_location) {
    const auto& key = request.parameter("app_id");
    if (ApplicationId::parse(key)) throw not_found();
    Problems problems;
    check_text(key, uid_rule, {"path", "app_id"}, problems);
    if (fields.uid.value != key) problems.add(uid_location, "must be the path's uid where that is new");
    problems.throw_if_any();
    co_return co_await create(context, principal, fields);
}

awaitable<http::Response> put_application(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"application", true});
    Problems problems;
    auto fields = read_fields(request, problems, Need::required);
    problems.throw_if_any();
    keep_uid_of_path(fields, request.parameter("app_id"));
    for (int tries = 2;; --tries) {
        if (const auto id = co_await find_application_if_any(context, principal, request)) {
            const auto stored = co_await modify(context, principal, *id,
                                                [&](store::Application& row) { replace(row, fields); });
            co_return http::json_response(200, to_json(stored));
        }
        try {
            const auto created =
                co_await create_at_path(context, principal, request, fields, {"body", "uid"});
            co_return http::json_response(201, to_json(created));
        } catch (const http::Problem& problem) {
            if (problem.status != 409 || tries == 1) throw;
        }
    }
}

awaitable<http::Response> patch_application(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"application", true});
    const auto id = co_await find_application(context, principal, request);
    Problems problems;
    const auto fields = read_fields(request, problems, Need::optional);
    problems.throw_if_any();
    const auto stored =
        co_await modify(context, principal, id, [&](store::Application& row) { patch(row, fields); });
    co_return http::json_response(200, to_json(stored));
}

awaitable<std::vector<EndpointId>> delete_with_endpoints(store::Connection& connection,
                                                         const Context& context, const Principal& principal,
                                                         ApplicationId id) {
    if (!co_await store::delete_application(connection, principal.organization, id)) throw not_found();
    auto endpoints = co_await store::delete_endpoints_of_application(connection, id);
    co_await store::record_endpoint_changes(connection, endpoints);
    co_await audit(connection, context, principal, "application.delete", id.str());
    co_return endpoints;
}

// Its endpoints go with it, and nothing more is sent to them once this is answered (I6).
awaitable<http::Response> delete_application(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"application", true});
    const auto id = co_await find_application(context, principal, request);
    const auto endpoints = co_await change(context, {}, [&](store::Connection& connection) {
        return delete_with_endpoints(connection, context, principal, id);
    });
    co_await store::await_acknowledged(context.pool, endpoints);
    co_return http::empty_response(204);
}

}  // namespace

awaitable<ApplicationId> find_or_create_application(Context& context, const Principal& principal,
                                                    const http::Request& request,
                                                    const json::object* application) {
    if (application == nullptr) co_return co_await find_application(context, principal, request);
    Problems problems;
    const Problems::Location location{"body", "application"};
    auto fields = read_fields(ObjectReader(*application, problems, location), Need::required);
    problems.throw_if_any();
    keep_uid_of_path(fields, request.parameter("app_id"));
    for (int tries = 2;; --tries) {
        if (const auto id = co_await find_application_if_any(context, principal, request)) co_return *id;
        try {
            co_return (
                co_await create_at_path(context, principal, request, fields, {"body", "application", "uid"}))
                .id;
        } catch (const http::Problem& problem) {
            if (problem.status != 409 || tries == 1) throw;
        }
    }
}

void add_application_routes(http::Router& router, Context& context) {
    using http::Method;
    add_route(router, context, Method::get, "/api/v1/app", list_applications);
    add_route(router, context, Method::post, "/api/v1/app", create_application);
    add_route(router, context, Method::get, "/api/v1/app/{app_id}", get_application);
    add_route(router, context, Method::put, "/api/v1/app/{app_id}", put_application);
    add_route(router, context, Method::patch, "/api/v1/app/{app_id}", patch_application);
    add_route(router, context, Method::del, "/api/v1/app/{app_id}", delete_application);
}

}  // namespace posthorn::admin
