#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>

#include "config/settings.hpp"
#include "store/connection.hpp"
#include "store/embedded_postgres.hpp"

namespace posthorn::cli {

// The database that a command works on while no loop runs: the given server, or the data directory's own,
// which runs as long as this object lives.
class DatabaseOfCommand {
public:
    explicit DatabaseOfCommand(const config::Settings& settings);  // throws store::EmbeddedPostgresError

    // Opens a connection, runs work(connection) to its end and returns its result.
    template <class T>
    T run(std::function<boost::asio::awaitable<T>(store::Connection&)> work) {
        std::optional<T> result;
        run_to_end([&](store::Connection& connection) -> boost::asio::awaitable<void> {
            result.emplace(co_await work(connection));
        });
        return std::move(*result);
    }
    template <class T>
    T run(boost::asio::awaitable<T> (*work)(store::Connection&)) {
        return run(std::function<boost::asio::awaitable<T>(store::Connection&)>(work));
    }

private:
    void run_to_end(std::function<boost::asio::awaitable<void>(store::Connection&)> work);

    std::unique_ptr<store::EmbeddedPostgres> embedded_;
    store::ConnectOptions options_;
};

}  // namespace posthorn::cli
