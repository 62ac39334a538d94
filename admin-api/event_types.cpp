#include "admin-api/event_types.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <fmt/format.h>

#include "admin-api/change.hpp"
#include "admin-api/fields.hpp"
#include "base/encoding.hpp"
#include "domain/json_schema.hpp"
#include "domain/schema_versions.hpp"

namespace posthorn::admin {

using boost::asio::awaitable;
namespace json = boost::json;

namespace {

constexpr const char* problem_type = "value_error.schemas";

std::string text_of(const domain::SchemaProblem& problem) {
    return problem.pointer.empty() ? problem.rule : problem.pointer + ": " + problem.rule;
}

// It would not be written as JSON again.
bool holds_infinity(const json::value& value) {
    if (const auto* number = value.if_double()) return !std::isfinite(*number);
    if (const auto* array = value.if_array())
        return std::any_of(array->begin(), array->end(), holds_infinity);
    const auto* object = value.if_object();
    return object != nullptr && std::any_of(object->begin(), object->end(), [](const auto& member) {
               return holds_infinity(member.value());
           });
}

std::string problem_of(const json::value& schema) {
    if (!schema.is_object()) return "must be an object";
    if (holds_infinity(schema)) return "must hold numbers that a double can hold";
    const auto problem = domain::JsonSchema::find_problem(schema.get_object());
    return problem ? text_of(*problem) : "";
}

[[noreturn]] void refuse(Problems::Location at, std::string rule) {
    throw http::ValidationProblem{{{std::move(at), std::move(rule), problem_type}}};
}

}  // namespace

json::object to_json(const store::EventType& event_type) {
    return {{"name", event_type.name},
            {"description", event_type.description},
            {"archived", event_type.archived},
            {"deprecated", event_type.deprecated},
            {"featureFlag", or_null(event_type.feature_flag)},
            {"schemas", event_type.schemas ? from_json_text(*event_type.schemas) : json::value(nullptr)},
            {"enforceSchema", event_type.enforce_schema},
            {"createdAt", format_timestamp(event_type.created_at)},
            {"updatedAt", format_timestamp(event_type.updated_at)}};
}

std::optional<std::string> check_schemas(const json::object& versions, const Problems::Location& at,
                                         Problems& problems) {
    if (versions.size() > limits::schema_versions) {
        problems.add(at, fmt::format("at most {} versions are allowed", limits::schema_versions),
                     problem_type);
        return std::nullopt;
    }
    auto text = json::serialize(versions);
    if (text.size() > limits::schemas_bytes) {
        problems.add(at, fmt::format("must have at most {} bytes", limits::schemas_bytes), problem_type);
        return std::nullopt;
    }
    bool valid = true;
    for (const auto& [version, schema] : versions) {
        auto rule = problem_of(schema);
        if (rule.empty()) continue;
        auto of_version = at;
        of_version.push_back(to_valid_utf8(std::string(version)));
        problems.add(std::move(of_version), std::move(rule), problem_type);
        valid = false;
    }
    return valid ? std::optional(std::move(text)) : std::nullopt;
}

void check_enforcement(const store::EventType& event_type, const Problems::Location& at) {
    if (!event_type.enforce_schema) return;
    const auto versions =
        event_type.schemas ? from_json_text(*event_type.schemas) : json::value(json::object());
    if (versions.get_object().empty()) refuse(at, "must be there while `enforceSchema` is true");
    const auto newest = domain::newest_schema(versions.get_object());
    if (!newest) refuse(at, "must have versions from 1 to 999999999 for the newest to be enforced");
    const auto compiled = domain::JsonSchema::compile(*newest->schema);
    const auto* problem = std::get_if<domain::SchemaProblem>(&compiled);
    if (problem == nullptr) return;
    auto of_version = at;
    of_version.push_back(newest->version);
    refuse(std::move(of_version), text_of(*problem));
}

awaitable<StoredEventType> write_event_type(store::Connection& connection, const Context& context,
                                            const Principal& principal, const std::string& name,
                                            IfMissing missing,
                                            std::function<void(store::EventType&, bool created)> apply) {
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
    co_return StoredEventType{std::move(*stored), created};
}

}  // namespace posthorn::admin
