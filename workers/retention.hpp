#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>

#include "store/connection.hpp"

namespace posthorn::workers {

struct RetentionOptions {
    std::chrono::seconds retention{std::chrono::days(90)};  // of messages, attempts and dead letters
    std::chrono::milliseconds interval{std::chrono::hours(1)};
    std::chrono::milliseconds retry_interval{std::chrono::minutes(1)};  // after a failure
};

// Makes partitions ahead of time and drops what is older than the retention: at start, then once an hour.
// Every process has one; the database sees to it that only one is at work.
class RetentionKeeper {
public:
    // Each round opens a connection of its own: it can take minutes.
    RetentionKeeper(boost::asio::any_io_executor executor, store::ConnectOptions database,
                    RetentionOptions options);

    boost::asio::awaitable<void> run();  // until cancelled

private:
    boost::asio::awaitable<std::chrono::milliseconds> keep();

    boost::asio::any_io_executor executor_;
    store::ConnectOptions database_;
    RetentionOptions options_;
};

}  // namespace posthorn::workers
