#include "store/api_key.hpp"

#include "store/queries.hpp"

namespace posthorn::store {

using boost::asio::awaitable;

namespace {
ApiKey read_api_key(const Rows& rows, int row) {
    return {rows.get<ApiKeyId>(row, 0),      rows.get<std::optional<ApplicationId>>(row, 1),
            rows.get<std::string>(row, 2),   rows.get<std::vector<std::string>>(row, 3),
            rows.get<SystemTime>(row, 4),    rows.get<std::optional<SystemTime>>(row, 5),
            rows.get<OrganizationId>(row, 6)};
}
}  // namespace

awaitable<std::optional<ApiKey>> find_api_key(Pool& pool, std::string hash) {
    const auto rows = co_await pool.exec(sql::find_api_key, Params::of(Bytes{hash}));
    if (rows.empty()) co_return std::nullopt;
    co_return read_api_key(rows, 0);
}

awaitable<std::optional<ApiKey>> load_api_key(Pool& pool, OrganizationId organization, ApiKeyId id) {
    const auto rows = co_await pool.exec(sql::load_api_key, Params::of(organization, id));
    if (rows.empty()) co_return std::nullopt;
    co_return read_api_key(rows, 0);
}

awaitable<std::vector<ApiKey>> list_api_keys(Pool& pool, OrganizationId organization, Scan scan) {
    const auto& statement = scan.descending ? sql::list_api_keys_descending : sql::list_api_keys_ascending;
    const auto rows = co_await pool.exec(statement, Params::of(organization, scan.beyond, scan.limit));
    std::vector<ApiKey> list;
    list.reserve(static_cast<std::size_t>(rows.size()));
    for (int row = 0; row < rows.size(); ++row) list.push_back(read_api_key(rows, row));
    co_return list;
}

awaitable<ApiKey> insert_api_key(Connection& connection, ApiKey key, std::string hash) {
    const auto rows = co_await connection.exec(
        sql::insert_api_key, Params::of(key.organization, key.id, key.application, key.name, Bytes{hash},
                                        key.scopes, key.expires_at));
    co_return read_api_key(rows, 0);
}

awaitable<bool> revoke_api_key(Connection& connection, OrganizationId organization, ApiKeyId id) {
    const auto rows = co_await connection.exec(sql::revoke_api_key, Params::of(organization, id));
    co_return rows.affected() > 0;
}

}  // namespace posthorn::store
