#include "domain/flow_control.hpp"

#include <algorithm>

namespace posthorn::domain {

void ConcurrencyLimit::on_success(int in_flight_before) {
    if (ends_old_round(in_flight_before)) return;
    if (in_flight_before >= limit_ && limit_ < options_.maximum) ++limit_;
}

void ConcurrencyLimit::on_failure(int in_flight_before) {
    if (ends_old_round(in_flight_before)) return;
    limit_ = std::max(1, limit_ / 2);
    ignored_ends_ = std::max(0, in_flight_before - 1);
}

// Requests that ended without a word (cancelled, say) must not leave failures to be ignored for ever: no more
// of the old round can be in flight than there are requests in flight.
bool ConcurrencyLimit::ends_old_round(int in_flight_before) {
    ignored_ends_ = std::min(ignored_ends_, in_flight_before);
    if (ignored_ends_ <= 0) return false;
    --ignored_ends_;
    return true;
}

bool CircuitBreaker::try_start(SteadyTime now) {
    if (state_ == State::closed) return true;
    if (state_ == State::half_open || now < open_until_) return false;
    state_ = State::half_open;
    probe_started_ = now;
    return true;
}

std::optional<SteadyTime> CircuitBreaker::opens_at() const {
    if (state_ != State::open) return std::nullopt;
    return open_until_;
}

void CircuitBreaker::on_success() {
    state_ = State::closed;
    failures_ = 0;
}

void CircuitBreaker::on_failure(SteadyTime now, SteadyTime started) {
    if (state_ == State::closed) {
        if (++failures_ >= options_.threshold) open(now, options_.first_cool_down);
    } else if (is_probe(started)) {
        open(now, cool_down_ * 2);
    }
}

void CircuitBreaker::on_not_started(SteadyTime started) {
    if (is_probe(started))
        state_ = State::open;  // its cool-down has passed: the next probe may start at once
}

void CircuitBreaker::open(SteadyTime now, std::chrono::milliseconds cool_down) {
    state_ = State::open;
    cool_down_ = std::min(cool_down, options_.longest_cool_down);
    open_until_ = now + cool_down_;
}

// The interval is rounded up: never more than the rate.
void RateLimiter::set_rate(int requests_per_second) {
    rate_ = std::max(0, requests_per_second);
    if (rate_ == 0) {
        interval_ = tolerance_ = Duration(0);
        return;
    }
    const Duration second = std::chrono::seconds(1);
    interval_ = Duration((second.count() + rate_ - 1) / rate_);
    tolerance_ = interval_ * (rate_ - 1);
}

bool RateLimiter::try_take(SteadyTime now) {
    if (rate_ == 0) return true;
    if (available_at(now) > now) return false;
    theoretical_ = std::max(theoretical_, now) + interval_;
    return true;
}

void RateLimiter::give_back() { theoretical_ -= interval_; }

SteadyTime RateLimiter::available_at(SteadyTime now) const {
    if (rate_ == 0) return now;
    return std::max(now, theoretical_ - tolerance_);
}

}  // namespace posthorn::domain
