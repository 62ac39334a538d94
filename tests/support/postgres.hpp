#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "store/embedded_postgres.hpp"

namespace posthorn::test {

// A directory of its own under /tmp that others may pass through (0711), removed at the end of its life.
class TemporaryDirectory {
public:
    TemporaryDirectory();
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

// One PostgreSQL server a test process, started when it is first asked for, stopped and removed at exit;
// nothing is synced.
class TestPostgres {
public:
    static TestPostgres& instance();

    // conninfo of a new database that belongs to role `posthorn`. With `empty` there are no tables in it.
    std::string make_database(bool empty = true);
    // The same database as `postgres`, a superuser.
    std::string as_superuser(const std::string& conninfo) const;
    store::EmbeddedPostgres& server() { return *server_; }

private:
    TestPostgres();

    TemporaryDirectory directory_;  // outlives the server
    std::unique_ptr<store::EmbeddedPostgres> server_;
    int databases_made_ = 0;
};

// Runs statements, in a connection of its own; throws std::runtime_error with the server's message.
// The first column of the first row, or empty.
std::string run_sql(const std::string& conninfo, const std::string& sql);

}  // namespace posthorn::test
