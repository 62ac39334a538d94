#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <utility>

#include "base/clock.hpp"

namespace posthorn {

// Wakes one waiting coroutine; set() while nobody waits is remembered. One thread.
class Event {
public:
    explicit Event(const boost::asio::any_io_executor& executor) : timer_(executor) {}

    void set() {
        if (!std::exchange(set_, true)) timer_.cancel();
    }

    // Returns when set, or at `until`; true if it was set. Throws operation_aborted when the coroutine is
    // cancelled.
    boost::asio::awaitable<bool> wait(std::optional<SteadyTime> until = std::nullopt) {
        while (!set_) {
            timer_.expires_at(until.value_or(SteadyTime::max()));
            boost::system::error_code error;
            co_await timer_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, error));
            const auto state = co_await boost::asio::this_coro::cancellation_state;
            if (state.cancelled() != boost::asio::cancellation_type::none)
                throw boost::system::system_error(boost::asio::error::operation_aborted);
            if (!error) break;
        }
        co_return std::exchange(set_, false);
    }

private:
    boost::asio::steady_timer timer_;
    bool set_ = false;
};

// Sleeps, and throws operation_aborted when the coroutine is cancelled.
inline boost::asio::awaitable<void> sleep_for(Duration duration) {
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, duration);
    co_await timer.async_wait(boost::asio::use_awaitable);
}

}  // namespace posthorn
