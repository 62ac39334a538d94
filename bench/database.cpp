#include "bench/database.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <stdexcept>
#include <utility>

#include "store/queries.hpp"

namespace posthorn::bench {

namespace {
constexpr int binary = 1;

PGresult* checked(PGconn* connection, PGresult* result) {
    const auto status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) return result;
    PQclear(result);
    throw std::runtime_error(fmt::format("the database: {}", PQerrorMessage(connection)));
}
}  // namespace

Session::Session(const std::string& conninfo) : connection_(PQconnectdb(conninfo.c_str())) {
    if (PQstatus(connection_) != CONNECTION_OK) {
        const std::string reason = PQerrorMessage(connection_);
        PQfinish(std::exchange(connection_, nullptr));
        throw std::runtime_error("cannot connect to the database: " + reason);
    }
    PQsetNoticeProcessor(connection_, [](void*, const char*) {}, nullptr);
}

Session::Session(Session&& other) noexcept : connection_(std::exchange(other.connection_, nullptr)) {}

Session::~Session() { PQfinish(connection_); }

void Session::run(const std::string& sql) { PQclear(checked(connection_, PQexec(connection_, sql.c_str()))); }

store::Rows Session::query(const std::string& sql, const store::Params& params) {
    const auto raw = params.raw();
    return store::Rows(
        checked(connection_,
                PQexecParams(connection_, sql.c_str(), static_cast<int>(params.size()), params.oids().data(),
                             raw.values.data(), raw.lengths.data(), raw.formats.data(), binary)));
}

std::int64_t Session::number(const std::string& sql, const store::Params& params) {
    return query(sql, params).get<std::int64_t>(0, 0);
}

void Session::prepare(const std::string& name, const std::string& sql, const store::Params& like) {
    PQclear(checked(connection_, PQprepare(connection_, name.c_str(), sql.c_str(),
                                           static_cast<int>(like.size()), like.oids().data())));
}

store::Rows Session::execute(const std::string& name, const store::Params& params) {
    const auto raw = params.raw();
    return store::Rows(checked(
        connection_, PQexecPrepared(connection_, name.c_str(), static_cast<int>(params.size()),
                                    raw.values.data(), raw.lengths.data(), raw.formats.data(), binary)));
}

Database::Database(const std::filesystem::path& directory, int max_connections) {
    store::EmbeddedPostgres::Options options;
    options.data_dir = directory;
    options.max_connections = max_connections;
    options.dies_with_parent = true;
    server_ = store::EmbeddedPostgres::start(options);
}

void Database::make_database(const std::string& name) const {
    open_as_superuser("postgres").run(fmt::format("CREATE DATABASE {} OWNER posthorn", name));
    auto session = open(name);
    for (const auto& migration : store::sql::migrations()) session.run(std::string(migration.sql));
    session.run("SELECT make_partitions(now() - interval '1 day', now() + interval '7 days')");
}

// Asked for in another database: this statement is not counted with the others.
std::int64_t Database::statements_executed() const {
    auto session = open_as_superuser("postgres");
    session.run("CREATE EXTENSION IF NOT EXISTS pg_stat_statements");
    return session.number(
        "SELECT coalesce(sum(s.calls), 0)::int8 FROM pg_stat_statements s "
        "JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = 'posthorn'");
}

}  // namespace posthorn::bench
