#include "store/endpoint_bulk.hpp"

#include <fmt/ranges.h>

#include "store/queries.hpp"

namespace posthorn::store {

using boost::asio::awaitable;

namespace {
std::optional<std::string> joined(const std::optional<std::vector<std::string>>& list) {
    if (!list) return std::nullopt;
    return fmt::format("{}", fmt::join(*list, ","));
}
}  // namespace

awaitable<std::vector<EndpointSwitches>> lock_endpoints(Connection& connection, ApplicationId application,
                                                        EndpointChoice choice, std::int64_t most) {
    const auto rows = co_await connection.exec(
        sql::lock_endpoints_for_bulk, Params::of(application, choice.ids, choice.uids, choice.by_filter,
                                                 choice.event_type, choice.disabled, most));
    std::vector<EndpointSwitches> endpoints;
    for (int row = 0; row < rows.size(); ++row)
        endpoints.push_back({.id = rows.get<EndpointId>(row, 0),
                             .uid = rows.get<std::optional<std::string>>(row, 1),
                             .event_types = rows.get<std::optional<std::vector<std::string>>>(row, 2),
                             .channels = rows.get<std::optional<std::vector<std::string>>>(row, 3),
                             .disabled = rows.get<bool>(row, 4),
                             .disabled_reason = rows.get<std::optional<std::string>>(row, 5),
                             .rate_limit = rows.get<std::optional<std::int32_t>>(row, 6)});
    co_return endpoints;
}

awaitable<void> update_endpoints(Connection& connection, ApplicationId application,
                                 std::vector<EndpointSwitches> endpoints) {
    std::vector<EndpointId> ids;
    std::vector<std::optional<std::string>> event_types, channels, reasons;
    std::vector<bool> disabled;
    std::vector<std::optional<std::int32_t>> rate_limits;
    for (const auto& endpoint : endpoints) {
        ids.push_back(endpoint.id);
        event_types.push_back(joined(endpoint.event_types));
        channels.push_back(joined(endpoint.channels));
        disabled.push_back(endpoint.disabled);
        reasons.push_back(endpoint.disabled_reason);
        rate_limits.push_back(endpoint.rate_limit);
    }
    co_await connection.exec(sql::update_endpoints, Params::of(application, ids, event_types, channels,
                                                               disabled, reasons, rate_limits));
}

}  // namespace posthorn::store
