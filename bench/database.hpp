#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "store/embedded_postgres.hpp"
#include "store/values.hpp"

struct pg_conn;

namespace posthorn::bench {

// A session with the database, plain libpq. Whatever is refused throws std::runtime_error.
class Session {
public:
    explicit Session(const std::string& conninfo);
    ~Session();
    Session(Session&& other) noexcept;
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    void run(const std::string& sql);  // one or several statements
    store::Rows query(const std::string& sql, const store::Params& params = {});
    std::int64_t number(const std::string& sql, const store::Params& params = {});  // an int8, alone
    void prepare(const std::string& name, const std::string& sql, const store::Params& like);
    store::Rows execute(const std::string& name, const store::Params& params);

private:
    pg_conn* connection_;
};

// The embedded PostgreSQL as the service runs it, but by ourselves: services come and go while it stays.
class Database {
public:
    Database(const std::filesystem::path& directory, int max_connections);

    std::string conninfo(const std::string& database = "posthorn") const {
        return server_->conninfo(database);
    }
    Session open(const std::string& database = "posthorn") const { return Session(conninfo(database)); }
    Session open_as_superuser(const std::string& database = "posthorn") const {
        return Session(server_->conninfo(database, "postgres"));
    }
    // A database of its own with our schema, empty.
    void make_database(const std::string& name) const;
    // How many statements of all kinds were executed in the service's database so far, by pg_stat_statements.
    std::int64_t statements_executed() const;
    pid_t pid() const { return server_->pid(); }

private:
    std::unique_ptr<store::EmbeddedPostgres> server_;
};

}  // namespace posthorn::bench
