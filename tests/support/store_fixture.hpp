#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>

#include "base/id.hpp"
#include "store/connection.hpp"
#include "support/postgres.hpp"

namespace posthorn::test {

// A migrated database of its own, and a loop to run coroutines on.
class StoreFixture {
public:
    StoreFixture();

    const std::string& conninfo() const { return conninfo_; }
    store::ConnectOptions connect_options(bool hot = false) const;
    std::unique_ptr<store::Connection> open(bool hot = false);
    std::string sql(const std::string& text) const { return run_sql(conninfo_, text); }
    boost::asio::io_context& io() { return io_; }
    // Sessions that begin from now on may only read, as at a standby, or may write again.
    void allow_writes(bool allowed) const;

    // Runs a coroutine to its end, at most 60 s, and gives what it returns.
    template <class T>
    T run(boost::asio::awaitable<T> work) {
        std::optional<T> result;
        run_to_end(
            [](boost::asio::awaitable<T> inner, std::optional<T>& out) -> boost::asio::awaitable<void> {
                out.emplace(co_await std::move(inner));
            }(std::move(work), result));
        return std::move(*result);
    }
    void run(boost::asio::awaitable<void> work) { run_to_end(std::move(work)); }

    // Rows to work with: an application, an endpoint of it, a message with a live delivery for the endpoint.
    ApplicationId make_application();
    EndpointId make_endpoint(ApplicationId application, int shard = 0, const std::string& more_columns = "",
                             const std::string& values = "");
    MessageId make_message(ApplicationId application, const std::string& payload = "{}");
    std::int64_t make_delivery(ApplicationId application, EndpointId endpoint, MessageId message,
                               int shard = 0, const std::string& due_at = "clock_timestamp()");

private:
    void run_to_end(boost::asio::awaitable<void> work);

    std::string conninfo_;
    boost::asio::io_context io_{1};
};

}  // namespace posthorn::test
