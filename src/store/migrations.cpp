#include "store/migrations.hpp"

#include "store/queries.hpp"

namespace posthorn::store {

namespace {
constexpr int oldest_server = 140000;

// pg_restore makes a table's primary key before its other indexes; completion needs it to be the newest, as
// the schema says.
boost::asio::awaitable<void> put_delivery_key_last(Connection& connection) {
    const auto found = co_await connection.exec(sql::is_delivery_key_newest);
    if (found.get<bool>(0, 0)) co_return;
    spdlog::info("the database was restored from a dump: making the key of the deliveries anew");
    co_await connection.run("REINDEX INDEX CONCURRENTLY delivery_pkey");
}
}  // namespace

boost::asio::awaitable<int> migrate(Connection& connection) {
    const auto server = co_await connection.exec(sql::server_version);
    if (server.get<std::int32_t>(0, 0) < oldest_server)
        throw std::runtime_error("PostgreSQL 14 or later is needed, the server is " +
                                 server.get<std::string>(0, 1));
    co_await connection.exec(sql::lock_migrations);
    co_await connection.run(
        "CREATE TABLE IF NOT EXISTS schema_migration (number int4 PRIMARY KEY, name text NOT NULL, "
        "applied_at timestamptz NOT NULL DEFAULT clock_timestamp())");
    const auto found = co_await connection.exec(sql::newest_migration);
    const int current = found.get<std::int32_t>(0, 0);
    const auto known = sql::migrations();
    if (current > static_cast<int>(known.size()))
        throw SchemaTooNew(
            fmt::format("the database's schema is version {}, this program knows {}: run a newer posthorn. A "
                        "schema is not taken back; for this program, restore a backup from before",
                        current, known.size()));
    for (const auto& migration : known.subspan(static_cast<std::size_t>(current))) {
        co_await in_transaction(connection, [&]() -> boost::asio::awaitable<void> {
            co_await connection.run(std::string(migration.sql));
            co_await connection.exec(sql::record_migration,
                                     Params::of(std::int32_t{migration.number}, migration.name));
        });
        spdlog::info("applied migration {}", migration.name);
    }
    co_await put_delivery_key_last(connection);
    co_await connection.exec(sql::unlock_migrations);
    co_return static_cast<int>(known.size()) - current;
}

}  // namespace posthorn::store
