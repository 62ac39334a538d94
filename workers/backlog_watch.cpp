#include "workers/backlog_watch.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/spdlog.h>

#include "store/backlog.hpp"

namespace posthorn::workers {

namespace asio = boost::asio;
using asio::awaitable;

namespace {
constexpr std::chrono::seconds look_interval{30}, shard_interval{1};
}

awaitable<void> BacklogWatch::run() {
    asio::steady_timer rest(pool_.executor());
    while (true) {
        const bool looked = co_await look();
        rest.expires_after(looked ? look_interval : shard_interval);
        co_await rest.async_wait(asio::use_awaitable);
    }
}

awaitable<bool> BacklogWatch::look() {
    std::vector<std::int16_t> held;
    for (int shard = 0; shard < store::shard_count; ++shard)
        if (shards_.loop_of(shard) >= 0) held.push_back(static_cast<std::int16_t>(shard));
    if (held.empty()) co_return false;
    try {
        co_await store::watch_backlogs(pool_, std::move(held), threshold_);
    } catch (const store::DatabaseError& error) {
        spdlog::warn("backlogs will be looked at again: {}", error.what());
    }
    co_return true;
}

}  // namespace posthorn::workers
