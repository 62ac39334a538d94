#pragma once
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace posthorn::store {

// The server can not be started; what() says why and what to do.
class EmbeddedPostgresError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// A PostgreSQL server of our own in a directory: unix socket only, never as root, one service a directory.
//
//   data_dir                  flock, as has posthorn.lock in it, which holds the service's process id; held
//                             while the object lives
//   data_dir/postgres         the cluster (PGDATA)      \.
//   data_dir/run              the socket                 } owned by the server's user, mode 0700
//   data_dir/log              the server's log          /
//   data_dir/postgresql.conf  written anew at every start
//
// Whoever can enter the socket's directory is trusted: that directory is the protection, which is why it is
// 0700. As root the server runs as the owner of an existing cluster, else as user `posthorn` if there is one,
// else as `postgres`.
//
// Blocking; used by one thread at a time. The server is in a session of its own. When the service is killed,
// the server stays; the next start on the directory stops it cleanly and starts its own.
class EmbeddedPostgres {
public:
    struct Options {
        std::filesystem::path data_dir;        // created if missing
        std::optional<int> shared_buffers_mb;  // default: an eighth of the memory, 128 to 1024
        int max_connections = 100;
        bool durable = true;  // false: nothing is synced; for tests
        bool dies_with_parent =
            false;  // stop at once when the starting thread ends, however it ends; for tests
        std::chrono::seconds start_limit{600};  // recovery after a crash can take minutes
        std::chrono::seconds stop_limit{60};    // of the clean shutdown; then it is made to end without one
    };

    // Makes the cluster if there is none, starts the server, waits until it answers, and makes role and
    // database `posthorn`. Throws EmbeddedPostgresError.
    static std::unique_ptr<EmbeddedPostgres> start(Options options);
    ~EmbeddedPostgres();  // stop()
    EmbeddedPostgres(const EmbeddedPostgres&) = delete;
    EmbeddedPostgres& operator=(const EmbeddedPostgres&) = delete;

    // key=value for libpq. `posthorn` owns the database and is no superuser; `postgres` is one.
    std::string conninfo(std::string_view database = "posthorn", std::string_view user = "posthorn") const;

    bool running();          // for supervision: the server's main process is alive
    void restart_if_dead();  // blocks until it answers again; also removes old log files. Throws
                             // EmbeddedPostgresError
    void stop();  // sessions are ended, everything is written; then the directory is free for another service
    pid_t pid() const;  // of the server's main process; -1 when stopped

private:
    struct Impl;
    explicit EmbeddedPostgres(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace posthorn::store
