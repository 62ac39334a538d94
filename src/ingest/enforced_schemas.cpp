#include "ingest/enforced_schemas.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <stdexcept>

#include "domain/json_pointer.hpp"
#include "domain/schema_versions.hpp"
#include "ingest/limits.hpp"
#include "store/event_type.hpp"

namespace posthorn::ingest {

using boost::asio::awaitable;

namespace {

constexpr const char* problem_type = "value_error.schema";

// It was found to be enforceable when it was stored.
EnforcedSchemas::Found compile(const std::string& event_type, const store::EnforcedSchemas& stored) {
    const auto versions = boost::json::parse(stored.schemas);
    const auto newest = domain::newest_schema(versions.as_object());
    if (!newest)
        throw std::runtime_error(fmt::format("event type {} enforces no schema that is there", event_type));
    auto compiled = domain::JsonSchema::compile(*newest->schema);
    if (const auto* problem = std::get_if<domain::SchemaProblem>(&compiled))
        throw std::runtime_error(fmt::format("the schema that event type {} enforces can not be: {}: {}",
                                             event_type, problem->pointer, problem->rule));
    return std::make_shared<const EnforcedSchema>(
        EnforcedSchema{stored.revision, std::get<domain::JsonSchema>(std::move(compiled))});
}

std::vector<FieldProblem> problems_of(const store::NewMessage& message, const EnforcedSchema& enforced,
                                      Location at) {
    if (message.extras && message.extras->raw) {
        at.emplace_back("rawPayload");
        return {
            {std::move(at), "must be a JSON `payload`: the event type's schema is enforced", problem_type}};
    }
    at.emplace_back("payload");
    boost::json::parse_options options;
    options.max_depth = limits::payload_depth;
    boost::system::error_code error;
    const auto payload = boost::json::parse(*message.payload, error, {}, options);
    if (error)
        return {
            {std::move(at), "can not be held to the event type's schema: " + error.message(), problem_type}};
    std::vector<FieldProblem> problems;
    for (const auto& [path, rule] : enforced.schema.validate(payload)) {
        auto place = at;
        place.insert(place.end(), path.begin(), path.end());
        const auto pointer = domain::to_pointer(path);
        problems.push_back(
            {std::move(place), pointer.empty() ? rule : fmt::format("{}: {}", pointer, rule), problem_type});
    }
    return problems;
}

}  // namespace

EnforcedSchemas::Found EnforcedSchemas::known(OrganizationId organization,
                                              const std::string& event_type) const {
    if (count_.load(std::memory_order_relaxed) == 0) return nullptr;
    const std::lock_guard lock(mutex_);
    const auto found = schemas_.find({organization, event_type});
    return found == schemas_.end() ? nullptr : found->second;
}

awaitable<EnforcedSchemas::Found> EnforcedSchemas::load(store::Pool& pool, OrganizationId organization,
                                                        std::string event_type) {
    const auto stored = co_await store::load_enforced_schemas(pool, organization, event_type);
    if (!stored) {
        forget({organization, event_type});
        co_return nullptr;
    }
    if (auto same = known(organization, event_type); same && same->revision == stored->revision)
        co_return same;
    co_return keep({organization, event_type}, compile(event_type, *stored));
}

awaitable<void> EnforcedSchemas::refresh(store::Pool& pool, OrganizationId organization,
                                         std::set<std::string> event_types) {
    const auto enforced = co_await store::list_enforced_event_types(
        pool, organization, std::vector<std::string>(event_types.begin(), event_types.end()));
    for (const auto& event_type : event_types)
        if (!enforced.contains(event_type)) forget({organization, event_type});
    for (const auto& [event_type, revision] : enforced) {
        const auto found = known(organization, event_type);
        if (!found || found->revision != revision) co_await load(pool, organization, event_type);
    }
}

// Revisions ascend: what another loop loaded meanwhile may be newer. Beyond the bound all are loaded anew.
EnforcedSchemas::Found EnforcedSchemas::keep(Key key, Found schema) {
    const std::lock_guard lock(mutex_);
    auto& place = schemas_[std::move(key)];
    if (place && place->revision >= schema->revision) return place;
    if (place) bytes_ -= place->schema.memory_bytes();
    bytes_ += schema->schema.memory_bytes();
    place = schema;
    if (schemas_.size() > limits::enforced_schemas || bytes_ > limits::enforced_schemas_bytes) {
        schemas_.clear();
        bytes_ = 0;
    }
    count_ = schemas_.size();
    return schema;
}

void EnforcedSchemas::forget(const Key& key) {
    const std::lock_guard lock(mutex_);
    const auto found = schemas_.find(key);
    if (found == schemas_.end()) return;
    bytes_ -= found->second->schema.memory_bytes();
    schemas_.erase(found);
    count_ = schemas_.size();
}

awaitable<std::vector<FieldProblem>> hold_to_schema(EnforcedSchemas& schemas, store::Pool& pool,
                                                    store::NewMessage& message, const Location& at) {
    auto enforced = schemas.known(message.organization, message.event_type);
    std::vector<FieldProblem> problems;
    if (enforced) problems = problems_of(message, *enforced, at);
    if (!problems.empty()) {
        const auto current = co_await schemas.load(pool, message.organization, message.event_type);
        if (current != enforced)
            problems = current ? problems_of(message, *current, at) : std::vector<FieldProblem>{};
        enforced = current;
    }
    message.schema_revision = !problems.empty() ? refused_revision : enforced ? enforced->revision : 0;
    co_return problems;
}

}  // namespace posthorn::ingest
