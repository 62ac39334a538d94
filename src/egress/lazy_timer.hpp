#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>

#include "base/clock.hpp"

namespace posthorn::egress {

// One timer for deadlines that mostly never come: the operating system's timer is only re-armed for an
// earlier time; one that fires too early (its reason is gone) arms itself again for what is wanted now.
class LazyTimer {
public:
    LazyTimer(const boost::asio::any_io_executor& executor, std::function<void()> on_due);

    void set(SteadyTime due);  // replaces the time wanted before
    void clear();              // nothing is wanted; may leave the executor with work until the old time
    void stop();               // nothing is wanted and nothing is left on the executor

private:
    void arm();

    static constexpr SteadyTime never = SteadyTime::max();
    boost::asio::steady_timer timer_;
    std::function<void()> on_due_;
    SteadyTime wanted_ = never;
    SteadyTime armed_ = never;
    std::shared_ptr<const bool> alive_ =
        std::make_shared<const bool>(true);  // handlers may run after the destructor
};

}  // namespace posthorn::egress
