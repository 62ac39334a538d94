#pragma once
#include <boost/asio/this_coro.hpp>

#include "async/timer.hpp"

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
            boost::system::error_code error;
            co_await timer_.wait(until.value_or(SteadyTime::max()), error);
            const auto state = co_await boost::asio::this_coro::cancellation_state;
            if (state.cancelled() != boost::asio::cancellation_type::none)
                throw boost::system::system_error(boost::asio::error::operation_aborted);
            if (!error) break;
        }
        co_return std::exchange(set_, false);
    }

private:
    Timer timer_;
    bool set_ = false;
};

// Sleeps, and throws operation_aborted when the coroutine is cancelled.
inline boost::asio::awaitable<void> sleep_for(Duration duration) {
    Timer timer(co_await boost::asio::this_coro::executor);
    boost::system::error_code error;
    co_await timer.wait(timer.now() + duration, error);
    if (error) throw boost::system::system_error(error);
}

}  // namespace posthorn
