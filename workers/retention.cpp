#include "workers/retention.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "store/retention.hpp"

namespace posthorn::workers {

namespace asio = boost::asio;
using asio::awaitable;
using std::chrono::milliseconds;

namespace {
void log_report(const store::RetentionReport& report) {
    if (!report.dropped.empty()) spdlog::info("retention dropped {}", fmt::join(report.dropped, ", "));
    if (!report.kept.empty())
        spdlog::info("retention left {}: still needed or in use", fmt::join(report.kept, ", "));
    if (report.dead_letters + report.idempotency_keys > 0)
        spdlog::info("retention deleted {} dead letters and {} idempotency keys", report.dead_letters,
                     report.idempotency_keys);
}
}  // namespace

RetentionKeeper::RetentionKeeper(asio::any_io_executor executor, store::ConnectOptions database,
                                 RetentionOptions options)
    : executor_(std::move(executor)), database_(std::move(database)), options_(options) {
    database_.statement_timeout = std::chrono::minutes(5);  // a look through all of delivery, a large batch
}

awaitable<void> RetentionKeeper::run() {
    asio::steady_timer rest(executor_);
    while (true) {
        rest.expires_after(co_await keep());
        co_await rest.async_wait(asio::use_awaitable);
    }
}

awaitable<milliseconds> RetentionKeeper::keep() {
    try {
        const auto connection = co_await store::Connection::open(executor_, database_);
        if (const auto report = co_await store::apply_retention(*connection, options_.retention))
            log_report(*report);
        co_return options_.interval;
    } catch (const store::DatabaseError& error) {
        spdlog::warn("retention will try again: {}", error.what());
        co_return options_.retry_interval;
    }
}

}  // namespace posthorn::workers
