#include "store/endpoint_bulk.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <unordered_set>

#include "admin-api/change.hpp"
#include "admin-api/fields.hpp"
#include "admin-api/routes.hpp"
#include "store/endpoint.hpp"
#include "store/endpoint_change.hpp"

namespace posthorn::admin {

using boost::asio::awaitable;
namespace json = boost::json;

namespace {

constexpr ListRule endpoint_ids_rule{
    .fewest = 1, .most = limits::endpoints_per_bulk_change, .item = uid_rule};

using Names = std::vector<std::string>;

struct BulkChange {
    std::optional<Names> endpoint_keys;  // nothing: by filter
    store::EndpointChoice choice;
    Field<bool> disabled;
    Field<std::int32_t> rate;
    Field<Names> channels, event_types, added_types, removed_types;
};

bool holds(const Names& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

void read_choice(const ObjectReader& reader, BulkChange& wanted) {
    auto& problems = reader.problems();
    auto keys = reader.texts("endpointIds", Need::nullable, endpoint_ids_rule);
    const auto filter = reader.object("filter", Need::nullable);
    if (keys && filter) problems.add(reader.location("filter"), "must not come together with endpointIds");
    if (!keys && !filter && problems.empty())
        problems.add(reader.location("endpointIds"), "must be given, or else filter", "value_error.missing");
    if (filter) {
        const ObjectReader part(*filter, problems, reader.location("filter"));
        wanted.choice.by_filter = true;
        wanted.choice.event_type = part.text("eventType", Need::nullable, subscription_rule).value;
        wanted.choice.disabled = part.boolean("disabled", Need::nullable).value;
        const bool all = part.boolean("all", Need::nullable).value_or(false);
        if (!all && !wanted.choice.event_type && !wanted.choice.disabled && problems.empty())
            problems.add(reader.location("filter"), "must have eventType or disabled, or all: true",
                         "value_error.missing");
    }
    for (const auto& key : keys.value_or({})) {
        if (const auto id = EndpointId::parse(key))
            wanted.choice.ids.push_back(*id);
        else
            wanted.choice.uids.push_back(key);
    }
    wanted.endpoint_keys = std::move(keys.value);
}

void read_changes(const ObjectReader& reader, BulkChange& wanted) {
    auto& problems = reader.problems();
    wanted.disabled = reader.boolean("disabled", Need::optional);
    wanted.rate = read_rate(reader);
    wanted.channels = reader.texts("channels", Need::nullable, endpoint_channels_rule);
    wanted.event_types = read_event_types(reader);
    wanted.added_types = reader.texts("addEventTypes", Need::optional, subscriptions_rule);
    wanted.removed_types = reader.texts("removeEventTypes", Need::optional, subscriptions_rule);
    const bool by_name = wanted.added_types || wanted.removed_types;
    if (wanted.event_types.mentioned && by_name)
        problems.add(reader.location("eventTypes"),
                     "must not come together with addEventTypes or removeEventTypes");
    const bool any = wanted.disabled.mentioned || wanted.rate.mentioned || wanted.channels.mentioned ||
                     wanted.event_types.mentioned || by_name;
    if (!any && problems.empty())
        problems.add({"body"},
                     "must change something: disabled, throttleRate, channels, eventTypes, addEventTypes, "
                     "removeEventTypes",
                     "value_error.missing");
}

BulkChange read_bulk_change(const http::Request& request) {
    Problems problems;
    const auto body = parse_body(request);
    const ObjectReader reader(body, problems);
    BulkChange wanted;
    read_choice(reader, wanted);
    read_changes(reader, wanted);
    problems.throw_if_any();
    return wanted;
}

// Why the endpoint can't have its event types added to or removed from; nothing once that is done.
std::optional<std::string> edit_event_types(const BulkChange& wanted, std::optional<Names>& types) {
    const auto added = wanted.added_types.value_or({}), removed = wanted.removed_types.value_or({});
    if (!types) {
        if (removed.empty()) return std::nullopt;  // it takes all already
        return "it takes all event types: none can be removed from that";
    }
    auto edited = *types;
    for (const auto& name : added)
        if (!holds(edited, name)) edited.push_back(name);
    std::erase_if(edited, [&](const std::string& name) { return holds(removed, name); });
    if (edited.empty()) return "it would be left without any event type";
    if (edited.size() > limits::event_types_per_endpoint)
        return fmt::format("it would have more than {} event types", limits::event_types_per_endpoint);
    types = std::move(edited);
    return std::nullopt;
}

std::optional<std::string> apply(const BulkChange& wanted, store::EndpointSwitches& endpoint) {
    auto types = endpoint.event_types;
    if (wanted.added_types || wanted.removed_types)
        if (auto refusal = edit_event_types(wanted, types)) return refusal;
    endpoint.event_types = std::move(types);
    wanted.event_types.patch(endpoint.event_types);
    wanted.channels.patch(endpoint.channels);
    wanted.rate.patch(endpoint.rate_limit);
    const bool was_disabled = endpoint.disabled;
    wanted.disabled.patch(endpoint.disabled);
    if (!endpoint.disabled)
        endpoint.disabled_reason.reset();
    else if (!was_disabled)
        endpoint.disabled_reason = store::disabled_reason::manual;
    return std::nullopt;
}

struct Result {
    store::EndpointSwitches endpoint;
    bool updated = false;
    std::optional<std::string> refusal = {};
};

json::object to_json(const Result& result) {
    const auto* status = result.refusal ? "refused" : result.updated ? "updated" : "unchanged";
    return {{"id", result.endpoint.id.str()},
            {"uid", or_null(result.endpoint.uid)},
            {"status", status},
            {"detail", or_null(result.refusal)}};
}

awaitable<std::vector<Result>> change_endpoints(store::Connection& connection, const Context& context,
                                                const Principal& principal, ApplicationId application,
                                                const BulkChange& wanted) {
    constexpr auto most = static_cast<std::int64_t>(limits::endpoints_per_bulk_change);
    const auto locked = co_await store::lock_endpoints(connection, application, wanted.choice, most + 1);
    if (std::ssize(locked) > most) {
        Problems problems;
        problems.add({"body", "filter"}, fmt::format("must match at most {} endpoints", most),
                     "value_error.too_many");
        problems.throw_if_any();
    }
    std::vector<Result> results;
    std::vector<store::EndpointSwitches> updated;
    std::vector<EndpointId> ids;
    std::vector<AuditedChange> audited;
    for (const auto& before : locked) {
        Result result{.endpoint = before};
        result.refusal = apply(wanted, result.endpoint);
        result.updated = !result.refusal && result.endpoint != before;
        if (result.updated) {
            updated.push_back(result.endpoint);
            ids.push_back(before.id);
            audited.push_back({before.id.str(),
                               {{"application", application.str()}, {"disabled", result.endpoint.disabled}}});
        }
        results.push_back(std::move(result));
    }
    if (!updated.empty()) {
        co_await store::update_endpoints(connection, application, std::move(updated));
        co_await store::record_endpoint_changes(connection, std::move(ids));
        co_await audit_all(connection, context, principal, "endpoint.update", std::move(audited));
    }
    co_return results;
}

// Keys that were given and led to no endpoint.
void add_unknown(const BulkChange& wanted, const std::vector<Result>& results, json::array& data) {
    std::unordered_set<std::string> known;
    for (const auto& result : results) {
        known.insert(result.endpoint.id.str());
        if (result.endpoint.uid) known.insert(*result.endpoint.uid);
    }
    for (const auto& key : wanted.endpoint_keys.value_or(Names{})) {
        if (known.contains(key)) continue;
        const bool is_id = EndpointId::parse(key).has_value();
        data.push_back(json::object{{"id", is_id ? json::value(key) : json::value(nullptr)},
                                    {"uid", is_id ? json::value(nullptr) : json::value(key)},
                                    {"status", "not-found"},
                                    {"detail", "the application has no such endpoint"}});
    }
}

// One transaction: what can be changed is changed together, and each endpoint is answered for.
awaitable<http::Response> patch_endpoints(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"endpoint", true});
    const auto application = co_await find_application(context, principal, request);
    const auto wanted = read_bulk_change(request);
    const auto results = co_await change(context, {}, [&](store::Connection& connection) {
        return change_endpoints(connection, context, principal, application, wanted);
    });
    std::vector<EndpointId> updated;
    json::array data;
    for (const auto& result : results) {
        if (result.updated) updated.push_back(result.endpoint.id);
        data.push_back(to_json(result));
    }
    add_unknown(wanted, results, data);
    const auto count = std::ssize(updated);
    co_await store::await_acknowledged(context.pool, std::move(updated));
    co_return http::json_response(200, json::object{{"data", std::move(data)}, {"updated", count}});
}

}  // namespace

void add_endpoint_bulk_routes(http::Router& router, Context& context) {
    add_route(router, context, http::Method::patch, "/api/v1/app/{app_id}/endpoint", patch_endpoints);
}

}  // namespace posthorn::admin
