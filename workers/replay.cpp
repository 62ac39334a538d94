#include "workers/replay.hpp"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/spdlog.h>

#include "base/crash_point.hpp"
#include "store/wake_up.hpp"

namespace posthorn::workers {

namespace asio = boost::asio;
using asio::awaitable;
using std::chrono::milliseconds;

namespace {
constexpr milliseconds shortest_rest{10};

void log_progress(const store::ReplayStep& step) {
    if (step.state == store::ReplayState::finished) spdlog::info("replay {} has finished", step.job.str());
}
}  // namespace

ReplayRunner::ReplayRunner(store::Pool& pool, ReplayOptions options) : pool_(pool), options_(options) {}

awaitable<void> ReplayRunner::run() {
    asio::steady_timer rest(pool_.executor());
    while (true) {
        rest.expires_after(co_await work());
        co_await rest.async_wait(asio::use_awaitable);
    }
}

// Steps until no job may go on; returns how long to rest.
awaitable<milliseconds> ReplayRunner::work() {
    try {
        auto connection = co_await pool_.acquire();
        while (const auto step = co_await store::run_replay_step(*connection, options_.limits)) {
            crash_point(CrashPoint::replay_step_committed);
            log_progress(*step);
            co_await store::notify_shards(*connection, step->woken);
            crash_point(CrashPoint::replay_announced);
        }
        const auto next = co_await store::time_to_next_replay_step(*connection);
        if (!next || options_.look_interval < *next) co_return options_.look_interval;
        co_return std::max(*next, shortest_rest);
    } catch (const store::DatabaseError& error) {
        spdlog::warn("replays wait for the database: {}", error.what());
        co_return options_.look_interval;
    }
}

}  // namespace posthorn::workers
