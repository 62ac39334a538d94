#include "store/statistics.hpp"

#include <fmt/format.h>

#include "store/queries.hpp"

namespace posthorn::store {

using boost::asio::awaitable;
using std::chrono::milliseconds;

namespace {

awaitable<Rows> count(Pool& pool, const Statement& statement, Params params) {
    auto connection = co_await pool.acquire();
    co_return co_await in_transaction(*connection, [&]() -> awaitable<Rows> {
        co_await connection->run(fmt::format("SET LOCAL statement_timeout = {}", counting_time.count()));
        co_return co_await connection->exec(statement, std::move(params));
    });
}

AttemptCounts read_counts(const Rows& rows, int row) {
    AttemptCounts counts{.attempts = rows.get<std::int64_t>(row, 1),
                         .succeeded = rows.get<std::int64_t>(row, 2),
                         .messages = rows.get<std::int64_t>(row, 3),
                         .median = milliseconds(rows.get<std::int32_t>(row, 10)),
                         .p95 = milliseconds(rows.get<std::int32_t>(row, 11)),
                         .longest = milliseconds(rows.get<std::int32_t>(row, 12))};
    for (std::size_t i = 0; i < counts.by_status_class.size(); ++i)
        counts.by_status_class[i] = rows.get<std::int64_t>(row, 4 + static_cast<int>(i));
    return counts;
}

ApplicationName read_name(const Rows& rows, int row) {
    return {rows.get<ApplicationId>(row, 0), rows.get<std::optional<std::string>>(row, 1)};
}

}  // namespace

awaitable<std::vector<AttemptCounts>> count_attempts_over_time(Pool& pool, ApplicationId application,
                                                               std::optional<EndpointId> endpoint,
                                                               std::vector<SystemTime> starts,
                                                               SystemTime end) {
    std::vector<Uuid> bounds;
    for (const auto start : starts) bounds.push_back(uuid_v7_floor(start));
    auto params = Params::of(application, bounds.front(), uuid_v7_floor(end), bounds);
    if (endpoint) params.add(*endpoint);
    const auto rows = co_await count(
        pool, endpoint ? sql::attempts_over_time_of_endpoint : sql::attempts_over_time_of_application,
        std::move(params));
    std::vector<AttemptCounts> counts(starts.size());
    for (int row = 0; row < rows.size(); ++row)
        counts.at(static_cast<std::size_t>(rows.get<std::int32_t>(row, 0)) - 1) = read_counts(rows, row);
    co_return counts;
}

awaitable<std::vector<ApplicationName>> find_applications(Pool& pool, OrganizationId organization,
                                                          std::vector<ApplicationId> ids,
                                                          std::vector<std::string> uids) {
    const auto rows = co_await pool.exec(sql::find_applications, Params::of(organization, ids, uids));
    std::vector<ApplicationName> found;
    for (int row = 0; row < rows.size(); ++row) found.push_back(read_name(rows, row));
    co_return found;
}

awaitable<std::vector<ApplicationUsage>> count_message_destinations(
    Pool& pool, OrganizationId organization, std::optional<std::vector<ApplicationId>> applications,
    SystemTime since, SystemTime until, std::int64_t most) {
    const auto rows = co_await count(pool, sql::count_message_destinations,
                                     Params::of(organization, !applications.has_value(),
                                                applications.value_or(std::vector<ApplicationId>{}),
                                                uuid_v7_floor(since), uuid_v7_floor(until), most));
    std::vector<ApplicationUsage> usage;
    for (int row = 0; row < rows.size(); ++row)
        usage.push_back({read_name(rows, row), rows.get<std::int64_t>(row, 2)});
    co_return usage;
}

awaitable<std::vector<SubscriptionCount>> count_subscriptions(Pool& pool, OrganizationId organization,
                                                              std::int64_t most) {
    const auto rows = co_await count(pool, sql::count_subscriptions, Params::of(organization, most));
    std::vector<SubscriptionCount> subscriptions;
    for (int row = 0; row < rows.size(); ++row)
        subscriptions.push_back({rows.get<std::optional<std::string>>(row, 0), rows.get<std::int64_t>(row, 1),
                                 rows.get<std::int64_t>(row, 2)});
    co_return subscriptions;
}

}  // namespace posthorn::store
