#include "store/endpoint_secret.hpp"

#include "store/queries.hpp"

namespace posthorn::store {

using boost::asio::awaitable;

namespace {
std::optional<std::string> read_sealed(const Rows& rows) {
    if (rows.empty()) return std::nullopt;
    return rows.get<std::string>(0, 0);
}
}  // namespace

awaitable<std::optional<std::string>> load_current_secret(Pool& pool, EndpointId endpoint) {
    co_return read_sealed(co_await pool.exec(sql::load_current_secret, Params::of(endpoint)));
}

awaitable<std::optional<std::string>> load_current_secret(Connection& connection, EndpointId endpoint) {
    co_return read_sealed(co_await connection.exec(sql::load_current_secret, Params::of(endpoint)));
}

awaitable<void> insert_endpoint_secret(Connection& connection, EndpointId endpoint, EndpointSecretId id,
                                       std::string sealed) {
    co_await connection.exec(sql::insert_endpoint_secret, Params::of(endpoint, id, Bytes{sealed}));
}

awaitable<void> remove_expired_secrets(Connection& connection, EndpointId endpoint) {
    co_await connection.exec(sql::remove_expired_secrets, Params::of(endpoint));
}

awaitable<std::int64_t> count_old_secrets(Connection& connection, EndpointId endpoint) {
    const auto rows = co_await connection.exec(sql::count_old_secrets, Params::of(endpoint));
    co_return rows.get<std::int64_t>(0, 0);
}

awaitable<void> tell_of_secret_rotation(Connection& connection, EndpointId endpoint) {
    co_await connection.exec(sql::tell_of_secret_rotation, Params::of(endpoint));
}

awaitable<void> retire_current_secret(Connection& connection, EndpointId endpoint,
                                      std::chrono::seconds grace_period) {
    if (grace_period > std::chrono::seconds::zero())
        co_await connection.exec(sql::expire_current_secret,
                                 Params::of(endpoint, static_cast<double>(grace_period.count())));
    else
        co_await connection.exec(sql::remove_current_secret, Params::of(endpoint));
}

}  // namespace posthorn::store
