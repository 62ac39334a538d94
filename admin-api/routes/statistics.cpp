#include "store/statistics.hpp"

#include <array>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <unordered_set>

#include "admin-api/access.hpp"
#include "admin-api/fields.hpp"
#include "admin-api/query.hpp"
#include "admin-api/routes.hpp"
#include "store/background_task.hpp"

namespace posthorn::admin {

using boost::asio::awaitable;
using std::chrono::days, std::chrono::hours, std::chrono::minutes;
namespace json = boost::json;

namespace {

constexpr std::int64_t most_buckets = 1'000;
constexpr days longest_endpoint_range{92};
constexpr days longest_application_range{31};
constexpr std::int64_t most_applications = 1'000, most_event_types = 1'000;
constexpr ListRule app_ids_rule{.fewest = 1, .most = most_applications, .item = uid_rule};
constexpr std::string_view application_stats_task = "application.stats";
constexpr std::string_view event_types_task = "event-type.aggregate";

struct Period {
    std::string_view name;
    std::chrono::seconds length;
    std::chrono::seconds usual_range;
};
constexpr std::array<Period, 3> periods{
    {{"minute", minutes(1), hours(1)}, {"hour", hours(1), hours(24)}, {"day", days(1), days(28)}}};

struct Series {
    Period period;
    std::vector<SystemTime> starts;
    SystemTime end;
};

void check_range(SystemTime since, SystemTime until, days longest, const Problems::Location& location,
                 Problems& problems) {
    if (until <= since) problems.add(location, "must be after since", "value_error.datetime");
    if (until - since > longest)
        problems.add(location, fmt::format("must be at most {} days after since", longest.count()),
                     "value_error.datetime");
}

// Whole buckets, by UTC: the first is the one that `since` falls into.
Series read_series(const Context& context, const http::Request& request, days longest_range) {
    Problems problems;
    const QueryReader query(request, problems);
    Series series{periods[query.choice("period", {"minute", "hour", "day"}).value_or(1)], {}, {}};
    const auto until = query.time("until").value_or(context.clock.system_now());
    const auto since = query.time("since").value_or(until - series.period.usual_range);
    check_range(since, until, longest_range, {"query", "until"}, problems);
    const SystemTime first(since.time_since_epoch() - since.time_since_epoch() % series.period.length);
    if (until - first > most_buckets * series.period.length)
        problems.add({"query", "period"},
                     fmt::format("must be longer: since to until has more than {} of these", most_buckets),
                     "value_error.too_many");
    problems.throw_if_any();
    for (series.end = first; series.end < until; series.end += series.period.length)
        series.starts.push_back(series.end);
    return series;
}

// What takes too long to count is refused by the field that would make it less.
template <class T>
awaitable<T> in_time(awaitable<T> counting, Problems::Location location) {
    try {
        co_return co_await std::move(counting);
    } catch (const store::DatabaseError& error) {
        if (!error.is(store::sqlstate::query_canceled)) throw;
    }
    Problems problems;
    problems.add(std::move(location),
                 fmt::format("can not be counted within {} s: ask for a shorter time",
                             std::chrono::ceil<std::chrono::seconds>(store::counting_time).count()),
                 "value_error.too_much");
    problems.throw_if_any();
    throw std::logic_error("a problem was noted and is gone");
}

json::object to_json(SystemTime start, const store::AttemptCounts& counts) {
    json::object classes;
    for (std::size_t i = 0; i < counts.by_status_class.size(); ++i)
        classes[std::to_string(i * 100)] = counts.by_status_class[i];
    json::value durations(nullptr);
    if (counts.attempts > 0)
        durations = json::object{
            {"p50", counts.median.count()}, {"p95", counts.p95.count()}, {"max", counts.longest.count()}};
    return {{"start", format_timestamp(start)},  {"attempts", counts.attempts},
            {"success", counts.succeeded},       {"fail", counts.attempts - counts.succeeded},
            {"messages", counts.messages},       {"statusCodeClasses", std::move(classes)},
            {"durationMs", std::move(durations)}};
}

awaitable<http::Response> answer(Context& context, ApplicationId application,
                                 std::optional<EndpointId> endpoint, Series series) {
    const auto counts = co_await in_time(
        store::count_attempts_over_time(context.pool, application, endpoint, series.starts, series.end),
        {"query", "since"});
    json::array data;
    for (std::size_t i = 0; i < counts.size(); ++i) data.push_back(to_json(series.starts[i], counts[i]));
    co_return http::json_response(200, json::object{{"period", series.period.name},
                                                    {"since", format_timestamp(series.starts.front())},
                                                    {"until", format_timestamp(series.end)},
                                                    {"data", std::move(data)}});
}

awaitable<http::Response> application_stats_over_time(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"message", false});
    const auto application = co_await find_application(context, principal, request);
    co_return co_await answer(context, application, std::nullopt,
                              read_series(context, request, longest_application_range));
}

awaitable<http::Response> endpoint_stats_over_time(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"message", false});
    const auto application = co_await find_application(context, principal, request);
    const auto endpoint = co_await find_endpoint(context, application, request);
    co_return co_await answer(context, application, endpoint,
                              read_series(context, request, longest_endpoint_range));
}

struct UsageQuery {
    SystemTime since, until;
    std::optional<std::vector<std::string>> app_ids;
};

UsageQuery read_usage_query(const http::Request& request) {
    Problems problems;
    const auto body = parse_body(request);
    const ObjectReader reader(body, problems);
    const auto since = reader.time("since", Need::required), until = reader.time("until", Need::required);
    auto app_ids = reader.texts("appIds", Need::nullable, app_ids_rule);
    if (since && until)
        check_range(*since, *until, longest_application_range, reader.location("until"), problems);
    problems.throw_if_any();
    return {*since, *until, std::move(app_ids.value)};
}

struct FoundApplications {
    std::vector<ApplicationId> ids;
    json::array unresolved;  // as they were given
};

awaitable<FoundApplications> resolve(Context& context, const Principal& principal,
                                     std::vector<std::string> keys) {
    std::vector<ApplicationId> ids;
    std::vector<std::string> uids;
    for (const auto& key : keys) {
        if (const auto id = ApplicationId::parse(key))
            ids.push_back(*id);
        else
            uids.push_back(key);
    }
    const auto rows = co_await store::find_applications(context.pool, principal.organization, ids, uids);
    FoundApplications found;
    std::unordered_set<std::string> known;
    for (const auto& row : rows) {
        found.ids.push_back(row.id);
        known.insert(row.id.str());
        if (row.uid) known.insert(*row.uid);
    }
    for (const auto& key : keys)
        if (!known.contains(key)) found.unresolved.emplace_back(key);
    co_return found;
}

// The compatible API's shape; what is asked for is there at once.
awaitable<json::object> finished_task(Context& context, const Principal& principal, std::string_view task,
                                      json::object data) {
    const auto id = ReplayJobId::make(context.clock.system_now());
    co_await store::insert_background_task(context.pool, principal.organization,
                                           {id, std::string(task), json::serialize(data)});
    co_return json::object{{"id", id.str()}, {"status", "finished"}, {"task", task}};
}

awaitable<http::Response> aggregate_application_stats(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"message", false});
    require_organization(principal);
    const auto wanted = read_usage_query(request);
    std::optional<std::vector<ApplicationId>> applications;
    json::array unresolved;
    if (wanted.app_ids) {
        auto found = co_await resolve(context, principal, *wanted.app_ids);
        applications = std::move(found.ids);
        unresolved = std::move(found.unresolved);
    }
    json::array stats;
    for (const auto& usage : co_await in_time(
             store::count_message_destinations(context.pool, principal.organization, applications,
                                               wanted.since, wanted.until, most_applications),
             {"body", "since"}))
        stats.push_back(json::object{{"appId", usage.application.id.str()},
                                     {"appUid", or_null(usage.application.uid)},
                                     {"messageDestinations", usage.message_destinations}});
    json::object data{{"since", format_timestamp(wanted.since)},
                      {"until", format_timestamp(wanted.until)},
                      {"stats", std::move(stats)}};
    auto task = co_await finished_task(context, principal, application_stats_task, std::move(data));
    task["unresolvedAppIds"] = std::move(unresolved);
    co_return http::json_response(202, task);
}

awaitable<http::Response> aggregate_event_types(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"endpoint", false});
    require_organization(principal);
    json::array event_types;
    for (const auto& count :
         co_await store::count_subscriptions(context.pool, principal.organization, most_event_types))
        event_types.push_back(json::object{{"eventType", or_null(count.event_type)},
                                           {"endpoints", count.endpoints},
                                           {"applications", count.applications}});
    co_return http::json_response(
        202, co_await finished_task(context, principal, event_types_task,
                                    json::object{{"eventTypes", std::move(event_types)}}));
}

}  // namespace

void add_statistics_routes(http::Router& router, Context& context) {
    using http::Method;
    add_route(router, context, Method::get, "/api/v1/app/{app_id}/stats/over-time",
              application_stats_over_time);
    add_route(router, context, Method::get, "/api/v1/app/{app_id}/endpoint/{endpoint_id}/stats/over-time",
              endpoint_stats_over_time);
    add_route(router, context, Method::post, "/api/v1/stats/usage/app", aggregate_application_stats);
    add_route(router, context, Method::put, "/api/v1/stats/usage/event-types", aggregate_event_types);
}

}  // namespace posthorn::admin
