#include <boost/json.hpp>

#include "admin-api/change.hpp"
#include "admin-api/event_types.hpp"
#include "admin-api/fields.hpp"
#include "admin-api/pagination.hpp"
#include "admin-api/routes.hpp"

namespace posthorn::admin {

using boost::asio::awaitable;

namespace {

constexpr std::string_view after_every_name = "~";  // above each character that a name may have

struct EventTypeFields {
    Field<std::string> name, description, feature_flag;
    Field<bool> archived, deprecated, enforce_schema;
    Field<std::string> schemas;  // as JSON text
};

Field<std::string> read_schemas(const ObjectReader& reader) {
    const auto object = reader.object("schemas", Need::nullable);
    if (!object) return {object.mentioned, std::nullopt};
    auto text = check_schemas(*object, reader.location("schemas"), reader.problems());
    return {text.has_value(), std::move(text)};
}

EventTypeFields read_fields(const http::Request& request, Problems& problems, Need description,
                            bool with_name) {
    const auto body = parse_body(request);
    const ObjectReader reader(body, problems);
    EventTypeFields fields;
    if (with_name) fields.name = reader.text("name", Need::required, event_type_rule);
    fields.description = reader.text("description", description, description_rule);
    fields.feature_flag = reader.text("featureFlag", Need::nullable, feature_flag_rule);
    fields.archived = reader.boolean("archived", Need::optional);
    fields.deprecated = reader.boolean("deprecated", Need::optional);
    fields.schemas = read_schemas(reader);
    fields.enforce_schema = reader.boolean("enforceSchema", Need::optional);
    return fields;
}

// The compatible API does not know of `enforceSchema`, nor does a client that was written for it: not
// mentioned, it stays as it is.
void replace(store::EventType& event_type, const EventTypeFields& fields) {
    event_type.description = *fields.description;
    event_type.archived = fields.archived.value_or(false);
    event_type.deprecated = fields.deprecated.value_or(false);
    event_type.feature_flag = fields.feature_flag.value;
    event_type.schemas = fields.schemas.value;
    fields.enforce_schema.patch(event_type.enforce_schema);
    check_enforcement(event_type, {"body", "schemas"});
}

void patch(store::EventType& event_type, const EventTypeFields& fields) {
    fields.description.patch(event_type.description);
    fields.archived.patch(event_type.archived);
    fields.deprecated.patch(event_type.deprecated);
    fields.feature_flag.patch(event_type.feature_flag);
    fields.schemas.patch(event_type.schemas);
    fields.enforce_schema.patch(event_type.enforce_schema);
    check_enforcement(event_type, {"body", "schemas"});
}

template <class Apply>
awaitable<StoredEventType> write(Context& context, const Principal& principal, std::string name,
                                 IfMissing missing, Apply apply) {
    co_return co_await change(context, std::string(event_type_taken), [&](store::Connection& connection) {
        return write_event_type(connection, context, principal, name, missing, apply);
    });
}

awaitable<Principal> authenticate_writer(Context& context, const http::Request& request) {
    auto principal = co_await authenticate(context, request, {"event-type", true});
    require_organization(principal);
    co_return principal;
}

// An archived event type is brought back by creating it again.
awaitable<http::Response> create_event_type(Context& context, http::Request& request) {
    const auto principal = co_await authenticate_writer(context, request);
    Problems problems;
    const auto fields = read_fields(request, problems, Need::required, true);
    problems.throw_if_any();
    const auto stored = co_await write(context, principal, *fields.name, IfMissing::create,
                                       [&](store::EventType& row, bool created) {
                                           if (!created && !row.archived)
                                               throw conflict(std::string(event_type_taken));
                                           row.enforce_schema = false;
                                           replace(row, fields);
                                       });
    co_return http::json_response(201, to_json(stored.event_type));
}

awaitable<http::Response> list_event_types(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"event-type", false});
    Problems problems;
    const QueryReader query(request, problems);
    const auto page = read_name_page(query, Order::ascending, limits::event_type_characters);
    const store::EventTypeList what{query.boolean("include_archived", false),
                                    query.boolean("with_content", false)};
    problems.throw_if_any();
    const store::NameScan scan{
        page.beyond.value_or(page.scan_descending() ? std::string(after_every_name) : ""),
        page.scan_descending(), page.scan_limit()};
    auto rows = co_await store::list_event_types(context.pool, principal.organization, scan, what);
    co_return page_response(
        page, std::move(rows), [](const store::EventType& row) { return row.name; }, to_json);
}

awaitable<http::Response> get_event_type(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"event-type", false});
    const auto event_type = co_await store::load_event_type(context.pool, principal.organization,
                                                            request.parameter("event_type_name"));
    if (!event_type) throw not_found();
    co_return http::json_response(200, to_json(*event_type));
}

awaitable<http::Response> put_event_type(Context& context, http::Request& request) {
    const auto principal = co_await authenticate_writer(context, request);
    const auto& name = request.parameter("event_type_name");
    Problems problems;
    const auto fields = read_fields(request, problems, Need::required, false);
    check_text(name, event_type_rule, {"path", "event_type_name"}, problems);
    problems.throw_if_any();
    // Once more after a conflict: another call created it meanwhile.
    for (int tries = 2;; --tries) {
        try {
            const auto stored = co_await write(context, principal, name, IfMissing::create,
                                               [&](store::EventType& row, bool) { replace(row, fields); });
            co_return http::json_response(stored.created ? 201 : 200, to_json(stored.event_type));
        } catch (const http::Problem& problem) {
            if (problem.status != 409 || tries == 1) throw;
        }
    }
}

awaitable<http::Response> patch_event_type(Context& context, http::Request& request) {
    const auto principal = co_await authenticate_writer(context, request);
    Problems problems;
    const auto fields = read_fields(request, problems, Need::optional, false);
    problems.throw_if_any();
    const auto stored =
        co_await write(context, principal, request.parameter("event_type_name"), IfMissing::refuse,
                       [&](store::EventType& row, bool) { patch(row, fields); });
    co_return http::json_response(200, to_json(stored.event_type));
}

awaitable<void> expunge_row(store::Connection& connection, const Context& context, const Principal& principal,
                            const std::string& name) {
    if (!co_await store::expunge_event_type(connection, principal.organization, name)) throw not_found();
    co_await audit(connection, context, principal, "event_type.expunge", name);
}

// Archives it; with expunge=true it is gone. Endpoints that filter by it go on doing so.
awaitable<http::Response> delete_event_type(Context& context, http::Request& request) {
    const auto principal = co_await authenticate_writer(context, request);
    const auto& name = request.parameter("event_type_name");
    Problems problems;
    const bool expunge = QueryReader(request, problems).boolean("expunge", false);
    problems.throw_if_any();
    if (expunge) {
        co_await change(context, {}, [&](store::Connection& connection) {
            return expunge_row(connection, context, principal, name);
        });
    } else {
        co_await write(context, principal, name, IfMissing::refuse,
                       [](store::EventType& row, bool) { row.archived = true; });
    }
    co_return http::empty_response(204);
}

}  // namespace

void add_event_type_routes(http::Router& router, Context& context) {
    using http::Method;
    static constexpr std::string_view one = "/api/v1/event-type/{event_type_name}";
    add_route(router, context, Method::get, "/api/v1/event-type", list_event_types);
    add_route(router, context, Method::post, "/api/v1/event-type", create_event_type);
    add_route(router, context, Method::get, one, get_event_type);
    add_route(router, context, Method::put, one, put_event_type);
    add_route(router, context, Method::patch, one, patch_event_type);
    add_route(router, context, Method::del, one, delete_event_type);
}

}  // namespace posthorn::admin
