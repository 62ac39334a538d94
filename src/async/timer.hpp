#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <utility>

#include "async/simulated_time.hpp"

namespace posthorn {

// A timer on the monotonic clock; in a simulation, on the time that its executor's context has of its own.
// One wait at a time, one thread.
class Timer {
public:
    explicit Timer(const boost::asio::any_io_executor& executor) {
        auto& context = boost::asio::query(executor, boost::asio::execution::context);
        if (boost::asio::has_service<SimulatedTime>(context))
            simulated_ = &boost::asio::use_service<SimulatedTime>(context);
        else
            timer_.emplace(executor);
    }
    ~Timer() { cancel(); }
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    void cancel() {
        if (timer_)
            timer_->cancel();
        else
            simulated_->cancel_wait(this);
    }

    SteadyTime now() const {
        return simulated_ == nullptr ? std::chrono::steady_clock::now() : simulated_->now();
    }

    // To be awaited: until then, or with operation_aborted in `error` until cancel() or the coroutine's
    // cancellation.
    auto wait(SteadyTime until, boost::system::error_code& error) {
        auto token = boost::asio::redirect_error(boost::asio::use_awaitable, error);
        if (timer_) {
            timer_->expires_at(until);
            return timer_->async_wait(token);
        }
        return boost::asio::async_initiate<decltype(token), void(boost::system::error_code)>(
            [this, until](auto wake) { simulated_->wait(this, until, std::move(wake)); }, token);
    }

private:
    SimulatedTime* simulated_ = nullptr;
    std::optional<boost::asio::steady_timer> timer_;
};

}  // namespace posthorn
