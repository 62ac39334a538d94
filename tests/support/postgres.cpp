#include "support/postgres.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <stdexcept>
#include <stdlib.h>
#include <system_error>

namespace posthorn::test {

TemporaryDirectory::TemporaryDirectory() {
    std::string name = "/tmp/posthorn-test-XXXXXX";
    if (!mkdtemp(name.data())) throw std::system_error(errno, std::generic_category(), "mkdtemp");
    path_ = name;
    std::filesystem::permissions(path_, std::filesystem::perms(0711));  // root's servers run as another user
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

TestPostgres& TestPostgres::instance() {
    static TestPostgres postgres;
    return postgres;
}

TestPostgres::TestPostgres() {
    store::EmbeddedPostgres::Options options;
    options.data_dir = directory_.path();
    options.shared_buffers_mb = 128;
    options.durable = false;
    options.dies_with_parent = true;
    server_ = store::EmbeddedPostgres::start(options);
}

std::string TestPostgres::make_database(bool) {
    const auto name = fmt::format("test_{}", ++databases_made_);
    run_sql(server_->conninfo("postgres", "postgres"),
            fmt::format("CREATE DATABASE {} OWNER posthorn", name));
    return server_->conninfo(name);
}

std::string TestPostgres::as_superuser(const std::string& conninfo) const {
    return conninfo + " user=postgres";
}

std::string run_sql(const std::string& conninfo, const std::string& sql) {
    const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(conninfo.c_str()), &PQfinish);
    if (PQstatus(connection.get()) != CONNECTION_OK)
        throw std::runtime_error(PQerrorMessage(connection.get()));
    const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection.get(), sql.c_str()),
                                                               &PQclear);
    const auto status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        throw std::runtime_error(PQerrorMessage(connection.get()));
    return status == PGRES_TUPLES_OK && PQntuples(result.get()) > 0 ? PQgetvalue(result.get(), 0, 0) : "";
}

}  // namespace posthorn::test
