#include "egress/lazy_timer.hpp"

#include <utility>

namespace posthorn::egress {

LazyTimer::LazyTimer(const boost::asio::any_io_executor& executor, std::function<void()> on_due)
    : timer_(executor), on_due_(std::move(on_due)) {}

void LazyTimer::set(SteadyTime due) {
    wanted_ = due;
    if (wanted_ < armed_) arm();
}

void LazyTimer::clear() { wanted_ = never; }

void LazyTimer::stop() {
    wanted_ = armed_ = never;
    timer_.cancel();
}

void LazyTimer::arm() {
    armed_ = wanted_;
    timer_.expires_at(armed_);
    timer_.async_wait([this, alive = std::weak_ptr(alive_)](const boost::system::error_code& error) {
        if (error || alive.expired()) return;
        armed_ = never;
        if (wanted_ == never) return;
        if (std::chrono::steady_clock::now() < wanted_) return arm();
        wanted_ = never;
        on_due_();
    });
}

}  // namespace posthorn::egress
