#include "async/simulated_time.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

namespace posthorn {

std::optional<SteadyTime> SimulatedTime::next() const {
    if (waits_.empty() || waits_.begin()->first.first == SteadyTime::max()) return std::nullopt;
    return waits_.begin()->first.first;
}

void SimulatedTime::wake_due() {
    while (!waits_.empty() && waits_.begin()->first.first <= now()) {
        auto first = waits_.extract(waits_.begin());
        places_.erase(first.mapped().timer);
        complete(std::move(first.mapped().wake), {});
    }
}

void SimulatedTime::wait(const void* timer, SteadyTime until, Wake wake) {
    if (auto slot = boost::asio::get_associated_cancellation_slot(wake); slot.is_connected())
        slot.assign([this, timer](boost::asio::cancellation_type) { cancel_wait(timer); });
    const Place place{until, ++last_number_};
    places_[timer] = place;
    waits_.emplace(place, Waiting{timer, std::move(wake)});
}

void SimulatedTime::cancel_wait(const void* timer) {
    const auto at = places_.find(timer);
    if (at == places_.end()) return;
    auto cancelled = waits_.extract(at->second);
    places_.erase(at);
    complete(std::move(cancelled.mapped().wake), boost::asio::error::operation_aborted);
}

// Never from within the call.
void SimulatedTime::complete(Wake wake, boost::system::error_code error) {
    boost::asio::post(executor_, [wake = std::move(wake), error]() mutable { std::move(wake)(error); });
}

void SimulatedTime::shutdown() {
    // What waits is dropped with everything that it holds, other timers among it.
    auto waits = std::move(waits_);
    waits_.clear();
    places_.clear();
    executor_ = {};
}

}  // namespace posthorn
