#include "store/event_type.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "admin-api/change.hpp"
#include "admin-api/fields.hpp"
#include "admin-api/pagination.hpp"
#include "admin-api/routes.hpp"

namespace posthorn::admin {

using boost::asio::awaitable;
namespace json = boost::json;

namespace {

constexpr std::string_view name_taken = "an event type with this name exists";
constexpr TextRule feature_flag_rule{.shortest = 1, .longest = limits::feature_flag_characters, .name = true};
constexpr std::string_view after_every_name = "~";  // above each character that a name may have

json::object to_json(const store::EventType& event_type) {
    return {{"name", event_type.name},
            {"description", event_type.description},
            {"archived", event_type.archived},
            {"deprecated", event_type.deprecated},
            {"featureFlag", or_null(event_type.feature_flag)},
            {"schemas", event_type.schemas ? from_json_text(*event_type.schemas) : json::value(nullptr)},
            {"createdAt", format_timestamp(event_type.created_at)},
            {"updatedAt", format_timestamp(event_type.updated_at)}};
}

struct EventTypeFields {
    Field<std::string> name, description, feature_flag;
    Field<bool> archived, deprecated;
    Field<std::string> schemas;  // as JSON text
};

// {"1": {a JSON schema}, ...}: kept as it is.
Field<std::string> read_schemas(const ObjectReader& reader) {
    const auto object = reader.object("schemas", Need::nullable);
    Field<std::string> schemas{object.mentioned, std::nullopt};
    if (!object) return schemas;
    const auto complain = [&](std::string what) {
        reader.problems().add(reader.location("schemas"), std::move(what), "value_error.schemas");
        return Field<std::string>{};
    };
    if (!std::all_of(object->begin(), object->end(),
                     [](const auto& entry) { return entry.value().is_object(); }))
        return complain("must hold an object for each version");
    if (object->size() > limits::schema_versions)
        return complain(fmt::format("at most {} versions are allowed", limits::schema_versions));
    schemas.value = json::serialize(*object);
    if (schemas->size() > limits::schemas_bytes)
        return complain(fmt::format("must have at most {} bytes", limits::schemas_bytes));
    return schemas;
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
    return fields;
}

void replace(store::EventType& event_type, const EventTypeFields& fields) {
    event_type.description = *fields.description;
    event_type.archived = fields.archived.value_or(false);
    event_type.deprecated = fields.deprecated.value_or(false);
    event_type.feature_flag = fields.feature_flag.value;
    event_type.schemas = fields.schemas.value;
}

void patch(store::EventType& event_type, const EventTypeFields& fields) {
    fields.description.patch(event_type.description);
    fields.archived.patch(event_type.archived);
    fields.deprecated.patch(event_type.deprecated);
    fields.feature_flag.patch(event_type.feature_flag);
    fields.schemas.patch(event_type.schemas);
}

struct Stored {
    store::EventType event_type;
    bool created = false;
};

enum class IfMissing { create, refuse };

// One transaction for create, update, patch and archive: they differ in what they do with an event type that
// is there or isn't.
template <class Apply>
awaitable<Stored> write_row(store::Connection& connection, const Context& context, const Principal& principal,
                            const std::string& name, IfMissing missing, const Apply& apply) {
    auto existing = co_await store::load_event_type_for_update(connection, principal.organization, name);
    if (!existing && missing == IfMissing::refuse) throw not_found();
    const bool created = !existing;
    auto event_type = existing ? std::move(*existing) : store::EventType{};
    if (created) {
        event_type.id = EventTypeId::make(context.clock.system_now());
        event_type.name = name;
    }
    apply(event_type, created);
    std::optional<store::EventType> stored;
    if (created)
        stored = co_await store::insert_event_type(connection, principal.organization, std::move(event_type));
    else
        stored = co_await store::update_event_type(connection, principal.organization, std::move(event_type));
    if (!stored) throw not_found();
    co_await audit(connection, context, principal, created ? "event_type.create" : "event_type.update",
                   stored->id.str(), {{"name", name}});
    co_return Stored{std::move(*stored), created};
}

template <class Apply>
awaitable<Stored> write(Context& context, const Principal& principal, std::string name, IfMissing missing,
                        Apply apply) {
    co_return co_await change(context, std::string(name_taken), [&](store::Connection& connection) {
        return write_row(connection, context, principal, name, missing, apply);
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
                                               throw conflict(std::string(name_taken));
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
