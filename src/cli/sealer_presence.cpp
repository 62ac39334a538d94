#include "cli/sealer_presence.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/spdlog.h>

#include "store/lease.hpp"

namespace posthorn::cli {

using boost::asio::awaitable;

awaitable<void> SealerPresence::enroll(store::Connection& connection) {
    co_await store::forget_sealers(connection);
    co_await store::renew_sealer(connection, self_);
}

awaitable<void> SealerPresence::run() {
    boost::asio::steady_timer rest(executor_);
    while (true) {
        rest.expires_after(store::renewal_interval);
        co_await rest.async_wait(boost::asio::use_awaitable);
        try {
            co_await store::renew_sealer(*co_await session(), self_);
        } catch (const store::DatabaseError& error) {
            spdlog::debug("which master key is in use can not be told: {}", error.what());
        }
    }
}

awaitable<void> SealerPresence::leave() {
    session_.reset();  // a renewal may have been cut off in it
    try {
        co_await store::remove_sealer(*co_await session(), self_.id);
    } catch (const store::DatabaseError& error) {
        spdlog::debug("this process stays listed with its master key for a while: {}", error.what());
    }
    session_.reset();
}

awaitable<store::Connection*> SealerPresence::session() {
    if (!session_ || !session_->usable()) session_ = co_await store::Connection::open(executor_, connect_);
    co_return session_.get();
}

}  // namespace posthorn::cli
