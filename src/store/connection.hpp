#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <unordered_set>
#include <vector>

#include "store/statement.hpp"
#include "store/values.hpp"

namespace posthorn::store {

// PostgreSQL refused a statement, or can not be reached.
class DatabaseError : public std::runtime_error {
public:
    DatabaseError(std::string sqlstate, const std::string& message, std::string constraint = {});
    const std::string& sqlstate() const {
        return sqlstate_;
    }  // five characters; "08006" where the connection is gone
    const std::string& constraint() const { return constraint_; }  // the violated constraint's name, or empty
    bool connection_lost() const;  // classes 08 and 57P0x, 53300, and 25006, a server that has become a
                                   // standby: try again later, on a new connection. What was under way may
                                   // or may not have happened.
    bool blames_the_data() const;  // the same would be refused again, whenever it is sent; any other error
                                   // may pass
    bool is(std::string_view state) const { return sqlstate_ == state; }

private:
    std::string sqlstate_, constraint_;
};

namespace sqlstate {
inline constexpr std::string_view unique_violation = "23505";
inline constexpr std::string_view serialization_failure = "40001";
inline constexpr std::string_view deadlock_detected = "40P01";
inline constexpr std::string_view connection_failure = "08006";
inline constexpr std::string_view too_many_connections = "53300";
inline constexpr std::string_view read_only_transaction = "25006";
inline constexpr std::string_view lock_not_available = "55P03";
inline constexpr std::string_view query_canceled = "57014";  // by its statement_timeout, too
}  // namespace sqlstate

struct ConnectOptions {
    std::string conninfo;  // a URL or key=value, as libpq takes it
    std::string application_name = "posthorn";
    std::chrono::milliseconds connect_timeout{5'000};
    std::chrono::milliseconds statement_timeout{
        30'000};       // the server's; ours is a little longer and drops the connection
    bool hot = false;  // plans for the hot path: generic, no sequential scans, no hash or merge joins, no JIT
    bool asynchronous_commit = false;  // for completion and wake-ups alone; otherwise synchronous_commit is
                                       // set to on
};

// One session, used by one coroutine at a time, on a single-threaded executor. libpq without blocking.
class Connection {
public:
    static boost::asio::awaitable<std::unique_ptr<Connection>> open(boost::asio::any_io_executor executor,
                                                                    ConnectOptions options);
    ~Connection();

    // Prepares the statement when it is first used here. Throws DatabaseError; after connection_lost() only
    // destruction is left.
    boost::asio::awaitable<Rows> exec(const Statement& statement, Params params = {});
    // Plain SQL without parameters, several statements allowed; the last one's rows (text format: migrations
    // and SET only).
    boost::asio::awaitable<Rows> run(std::string sql);

    // Waits for a NOTIFY (after `LISTEN` by run()). Throws DatabaseError when the connection is lost.
    struct Notification {
        std::string channel, payload;
    };
    boost::asio::awaitable<Notification> next_notification();

    bool usable() const;
    bool in_transaction() const;

private:
    Connection();
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// A transaction, BEGIN to COMMIT, that is rolled back (by dropping the connection, if it must) when it is
// left early:
//     co_await in_transaction(connection, [&]() -> awaitable<void> { ... });
template <class Body>
auto in_transaction(Connection& connection, Body body) -> decltype(body()) {
    co_await connection.run("BEGIN");
    std::exception_ptr failure;
    try {
        if constexpr (std::is_void_v<typename decltype(body())::value_type>) {
            co_await body();
            co_await connection.run("COMMIT");
            co_return;
        } else {
            auto result = co_await body();
            co_await connection.run("COMMIT");
            co_return result;
        }
    } catch (...) {
        failure = std::current_exception();
    }
    if (connection.usable()) co_await connection.run("ROLLBACK");
    std::rethrow_exception(failure);
}

// Connections of one loop, opened when needed, at most `limit`; who finds none waits his turn (at most 5 s:
// DatabaseError 53300).
class Pool {
public:
    Pool(boost::asio::any_io_executor executor, ConnectOptions options, std::size_t limit);
    ~Pool();

    class Lease {  // gives the connection back at its end; an unusable or mid-transaction one is dropped
    public:
        Lease(Lease&&) noexcept;
        ~Lease();
        Connection& operator*() const { return *connection_; }
        Connection* operator->() const { return connection_.get(); }

    private:
        friend class Pool;
        Lease(Pool& pool, std::unique_ptr<Connection> connection);
        Pool* pool_;
        std::unique_ptr<Connection> connection_;
    };
    boost::asio::awaitable<Lease> acquire();
    // acquire, exec, give back.
    boost::asio::awaitable<Rows> exec(const Statement& statement, Params params = {});
    boost::asio::any_io_executor executor() const;

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace posthorn::store
