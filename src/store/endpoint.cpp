#include "store/endpoint.hpp"

#include "domain/shard.hpp"
#include "store/queries.hpp"

namespace posthorn::store {

using boost::asio::awaitable;

namespace {
Endpoint read_endpoint(const Rows& rows, int row) {
    return {.id = rows.get<EndpointId>(row, 0),
            .uid = rows.get<std::optional<std::string>>(row, 1),
            .url = rows.get<std::string>(row, 2),
            .description = rows.get<std::string>(row, 3),
            .event_types = rows.get<std::optional<std::vector<std::string>>>(row, 4),
            .channels = rows.get<std::optional<std::vector<std::string>>>(row, 5),
            .disabled = rows.get<bool>(row, 6),
            .disabled_reason = rows.get<std::optional<std::string>>(row, 7),
            .rate_limit = rows.get<std::optional<std::int32_t>>(row, 8),
            .headers = rows.get<std::optional<std::string>>(row, 9),
            .metadata = rows.get<std::string>(row, 10),
            .http2 = rows.get<bool>(row, 11),
            .ordered = rows.get<bool>(row, 12),
            .filter = rows.get<std::optional<std::string>>(row, 13),
            .retry_schedule = rows.get<std::optional<std::vector<std::int32_t>>>(row, 14),
            .timeout_s = rows.get<std::optional<std::int32_t>>(row, 15),
            .created_at = rows.get<SystemTime>(row, 16),
            .updated_at = rows.get<SystemTime>(row, 17)};
}

std::optional<Endpoint> read_one(const Rows& rows) {
    if (rows.empty()) return std::nullopt;
    return read_endpoint(rows, 0);
}

std::vector<EndpointId> read_ids(const Rows& rows) {
    std::vector<EndpointId> ids;
    ids.reserve(static_cast<std::size_t>(rows.size()));
    for (int row = 0; row < rows.size(); ++row) ids.push_back(rows.get<EndpointId>(row, 0));
    return ids;
}

std::optional<EndpointId> read_id(const Rows& rows) {
    if (rows.empty()) return std::nullopt;
    return rows.get<EndpointId>(0, 0);
}

Params fields_of(ApplicationId application, const Endpoint& endpoint) {
    std::optional<Bytes> headers;
    if (endpoint.headers) headers = Bytes{*endpoint.headers};
    return Params::of(application, endpoint.id, endpoint.uid, endpoint.url, endpoint.description,
                      endpoint.event_types, endpoint.channels, endpoint.disabled, endpoint.disabled_reason,
                      endpoint.rate_limit, headers, Json{endpoint.metadata}, endpoint.http2, endpoint.ordered,
                      endpoint.filter, endpoint.retry_schedule, endpoint.timeout_s);
}
}  // namespace

awaitable<std::optional<EndpointId>> find_endpoint(Pool& pool, ApplicationId application, EndpointId id) {
    co_return read_id(co_await pool.exec(sql::find_endpoint, Params::of(application, id)));
}

awaitable<std::optional<EndpointId>> find_endpoint_by_uid(Pool& pool, ApplicationId application,
                                                          std::string uid) {
    co_return read_id(co_await pool.exec(sql::find_endpoint_by_uid, Params::of(application, uid)));
}

awaitable<std::optional<Endpoint>> load_endpoint(Pool& pool, ApplicationId application, EndpointId id) {
    co_return read_one(co_await pool.exec(sql::load_endpoint, Params::of(application, id)));
}

awaitable<std::vector<Endpoint>> list_endpoints(Pool& pool, ApplicationId application, Scan scan) {
    const auto& statement = scan.descending ? sql::list_endpoints_descending : sql::list_endpoints_ascending;
    const auto rows = co_await pool.exec(statement, Params::of(application, scan.beyond, scan.limit));
    std::vector<Endpoint> list;
    list.reserve(static_cast<std::size_t>(rows.size()));
    for (int row = 0; row < rows.size(); ++row) list.push_back(read_endpoint(rows, row));
    co_return list;
}

awaitable<std::optional<Endpoint>> load_endpoint_for_update(Connection& connection, ApplicationId application,
                                                            EndpointId id) {
    co_return read_one(co_await connection.exec(sql::load_endpoint_for_update, Params::of(application, id)));
}

awaitable<Endpoint> insert_endpoint(Connection& connection, OrganizationId organization,
                                    ApplicationId application, Endpoint endpoint) {
    auto params = fields_of(application, endpoint);
    params.add(organization).add(static_cast<std::int16_t>(domain::shard_of(endpoint.id)));
    const auto rows = co_await connection.exec(sql::insert_endpoint, std::move(params));
    co_return read_endpoint(rows, 0);
}

awaitable<std::optional<Endpoint>> update_endpoint(Connection& connection, ApplicationId application,
                                                   Endpoint endpoint) {
    co_return read_one(co_await connection.exec(sql::update_endpoint, fields_of(application, endpoint)));
}

awaitable<void> mark_deliveries_ordered(Connection& connection, ApplicationId application, EndpointId id,
                                        bool ordered) {
    co_await connection.exec(sql::mark_deliveries_ordered, Params::of(application, id, ordered));
}

awaitable<bool> delete_endpoint(Connection& connection, ApplicationId application, EndpointId id) {
    const auto rows = co_await connection.exec(sql::delete_endpoint, Params::of(application, id));
    co_return rows.affected() > 0;
}

awaitable<std::vector<EndpointId>> delete_endpoints_of_application(Connection& connection,
                                                                   ApplicationId application) {
    co_return read_ids(
        co_await connection.exec(sql::delete_endpoints_of_application, Params::of(application)));
}

awaitable<std::vector<EndpointId>> list_endpoint_ids(Connection& connection, ApplicationId application) {
    co_return read_ids(
        co_await connection.exec(sql::list_endpoint_ids_of_application, Params::of(application)));
}

}  // namespace posthorn::store
