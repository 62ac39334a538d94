#include <algorithm>
#include <boost/json.hpp>
#include <set>

#include "admin-api/change.hpp"
#include "admin-api/event_types.hpp"
#include "admin-api/fields.hpp"
#include "admin-api/routes.hpp"
#include "domain/openapi_webhooks.hpp"
#include "json/yaml.hpp"

namespace posthorn::admin {

using boost::asio::awaitable;
namespace bj = boost::json;

namespace {

constexpr const char* first_version = "1";
constexpr TextRule document_rule{.longest = 4 * 1024 * 1024};  // the request's body is smaller

struct ImportedEventType {
    store::EventType event_type;
    std::optional<std::string> group;
    Problems::Location schemas_at;
};

struct Import {
    bool dry_run = false;
    bool replace_all = false;
    std::vector<ImportedEventType> event_types;  // by name
};

// JSON is YAML too, but only what begins like an object of it is read as JSON: numbers and texts are the
// same.
bj::value parse_document(const std::string& text, const Problems::Location& at, Problems& problems) {
    const auto begin = text.find_first_not_of(" \t\r\n");
    if (begin != std::string::npos && text[begin] == '{') {
        bj::parse_options options;
        options.max_depth = limits::body_depth;
        boost::system::error_code error;
        auto value = bj::parse(text, error, {}, options);
        if (!error) return value;
        // YAML's flow style begins so, too.
    }
    auto parsed = json::parse_yaml(text, {limits::body_depth, limits::imported_yaml_values});
    if (const auto* error = std::get_if<std::string>(&parsed)) {
        problems.add(at, "must be JSON or YAML: " + *error, "value_error.openapi");
        return {};
    }
    return std::get<bj::value>(std::move(parsed));
}

void add_event_type(const domain::OpenApiWebhook& webhook, const Problems::Location& at, Import& import,
                    Problems& problems) {
    auto place = at;
    place.push_back(webhook.name);
    check_text(webhook.name, event_type_rule, place, problems);
    check_text(webhook.description, description_rule, place, problems);
    if (webhook.feature_flag) check_text(*webhook.feature_flag, feature_flag_rule, place, problems);
    ImportedEventType imported{.event_type = {}, .group = webhook.group, .schemas_at = place};
    imported.event_type.name = webhook.name;
    imported.event_type.description = webhook.description;
    imported.event_type.deprecated = webhook.deprecated;
    imported.event_type.feature_flag = webhook.feature_flag;
    if (webhook.schema)
        imported.event_type.schemas = check_schemas({{first_version, *webhook.schema}}, place, problems);
    import.event_types.push_back(std::move(imported));
}

Import read_import(const http::Request& request) {
    const auto body = parse_body(request);
    Problems problems;
    const ObjectReader reader(body, problems);
    Import import;
    import.dry_run = reader.boolean("dryRun", Need::optional).value_or(false);
    import.replace_all = reader.boolean("replaceAll", Need::optional).value_or(false);
    const auto spec = reader.object("spec", Need::nullable);
    const auto raw = reader.text("specRaw", Need::nullable, document_rule);
    problems.throw_if_any();
    if (spec.value.has_value() == raw.value.has_value())
        throw http::Problem{400, "bad_request", "Either `spec` or `specRaw` must be given."};
    const auto at = reader.location(spec ? "spec" : "specRaw");
    const auto document = spec ? bj::value(*spec) : parse_document(*raw, at, problems);
    problems.throw_if_any();
    const auto read = domain::read_openapi_webhooks(document);
    if (const auto* wrong = std::get_if<std::vector<domain::OpenApiProblem>>(&read))
        for (const auto& [path, rule] : *wrong) {
            auto place = at;
            place.insert(place.end(), path.begin(), path.end());
            problems.add(std::move(place), rule, "value_error.openapi");
        }
    else
        for (const auto& webhook : std::get<std::vector<domain::OpenApiWebhook>>(read))
            add_event_type(webhook, at, import, problems);
    problems.throw_if_any();
    return import;
}

// What is there takes over all but whether it enforces its schema; an archived one is brought back.
void take_over(store::EventType& row, const ImportedEventType& imported) {
    row.description = imported.event_type.description;
    row.deprecated = imported.event_type.deprecated;
    row.feature_flag = imported.event_type.feature_flag;
    row.schemas = imported.event_type.schemas;
    row.archived = false;
    check_enforcement(row, imported.schemas_at);
}

// The names of those that the document does not have.
awaitable<std::vector<std::string>> archive_others(store::Connection& connection, const Context& context,
                                                   const Principal& principal, const Import& import,
                                                   const std::vector<store::EventTypeName>& all) {
    std::set<std::string_view> imported;
    for (const auto& one : import.event_types) imported.insert(one.event_type.name);
    std::vector<EventTypeId> ids;
    std::vector<std::string> names;
    std::vector<AuditedChange> changes;
    for (const auto& [id, name, archived] : all) {
        if (archived || imported.contains(name)) continue;
        ids.push_back(id);
        names.push_back(name);
        changes.push_back({id.str(), {{"name", name}, {"archived", true}}});
    }
    if (!import.dry_run && !ids.empty()) {
        co_await store::archive_event_types(connection, principal.organization, std::move(ids));
        co_await audit_all(connection, context, principal, "event_type.update", std::move(changes));
    }
    co_return names;
}

// The names of what was archived.
awaitable<std::vector<std::string>> carry_out(store::Connection& connection, const Context& context,
                                              const Principal& principal, const Import& import) {
    std::vector<std::string> archived;
    if (import.replace_all) {
        const auto all = co_await store::lock_event_types(connection, principal.organization);
        archived = co_await archive_others(connection, context, principal, import, all);
    }
    for (const auto& imported : import.event_types) {
        const auto& name = imported.event_type.name;
        if (import.dry_run) {
            auto row = co_await store::load_event_type_for_update(connection, principal.organization, name);
            if (row) take_over(*row, imported);
        } else {
            co_await write_event_type(connection, context, principal, name, IfMissing::create,
                                      [&](store::EventType& row, bool) { take_over(row, imported); });
        }
    }
    co_return archived;
}

bj::object to_json(const ImportedEventType& imported) {
    const auto& event_type = imported.event_type;
    bj::value flags(nullptr);
    if (event_type.feature_flag) flags = bj::array{bj::value_from(*event_type.feature_flag)};
    return {{"name", event_type.name},
            {"description", event_type.description},
            {"deprecated", event_type.deprecated},
            {"featureFlag", or_null(event_type.feature_flag)},
            {"featureFlags", std::move(flags)},
            {"groupName", or_null(imported.group)},
            {"schemas", event_type.schemas ? from_json_text(*event_type.schemas) : bj::value(nullptr)}};
}

bj::object report(const Import& import, const std::vector<std::string>& archived) {
    bj::array modified, to_modify;
    for (const auto& one : import.event_types) {
        modified.push_back(bj::value_from(one.event_type.name));
        if (import.dry_run) to_modify.push_back(to_json(one));
    }
    if (import.dry_run) modified.clear();
    return {{"modified", std::move(modified)},
            {"to_modify", import.dry_run ? bj::value(std::move(to_modify)) : bj::value(nullptr)},
            {"archived", bj::value_from(archived)}};
}

awaitable<http::Response> import_event_types(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"event-type", true});
    require_organization(principal);
    const auto import = read_import(request);
    const auto archived = co_await change(
        context, std::string(event_type_taken),
        [&](store::Connection& connection) { return carry_out(connection, context, principal, import); });
    co_return http::json_response(200, bj::object{{"data", report(import, archived)}});
}

}  // namespace

void add_event_type_import_routes(http::Router& router, Context& context) {
    add_route(router, context, http::Method::post, "/api/v1/event-type/import/openapi", import_event_types);
}

}  // namespace posthorn::admin
