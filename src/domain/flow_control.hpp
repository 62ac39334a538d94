#pragma once
#include <chrono>
#include <cstdint>
#include <optional>

#include "base/clock.hpp"

namespace posthorn::domain {

// How many requests may be in flight to one endpoint. Starts small, grows by one for each success at the
// limit up to `maximum`, is halved (never below 1) by a failure that says the endpoint is in trouble, at most
// once per round of requests in flight: those that started under the old limit say nothing about the new one.
class ConcurrencyLimit {
public:
    struct Options {
        int initial = 4;
        int maximum = 64;
    };
    explicit ConcurrencyLimit(Options options) : options_(options), limit_(options.initial) {}

    int limit() const { return limit_; }
    // in_flight_before: how many were in flight, the one that ended included.
    void on_success(int in_flight_before);  // grows only when the limit was what held us back
    void on_failure(int in_flight_before);

private:
    bool ends_old_round(int in_flight_before);

    Options options_;
    int limit_;
    int ignored_ends_ = 0;  // still in flight of the round that already shrank it
};

// Parks an endpoint that does nothing but fail; lets a single probe through when its time has come.
// closed -> open after `threshold` failures in a row -> (cool-down) -> half open: one probe -> closed on
// success, open for twice as long (up to the longest) on failure. Every try_start that said yes is followed
// by exactly one on_.
//
// Requests from before it opened may end while the probe is under way. `started` tells them apart: the time
// that try_start was given for the request that ended. A success always closes: the endpoint is alive,
// whoever found out.
class CircuitBreaker {
public:
    struct Options {
        int threshold = 10;
        std::chrono::milliseconds first_cool_down{1'000};
        std::chrono::milliseconds longest_cool_down{60'000};
    };
    explicit CircuitBreaker(Options options) : options_(options) {}

    enum class State : std::uint8_t { closed, open, half_open };
    State state() const { return state_; }

    // May a request start now? True takes the single probe's place when it is open and the cool-down has
    // passed.
    bool try_start(SteadyTime now);
    // When try_start may next say yes; nothing if it is closed, or a probe is under way.
    std::optional<SteadyTime> opens_at() const;

    void on_success();
    void on_failure(SteadyTime now, SteadyTime started);
    // It was never sent, or says nothing about the endpoint: a probe's place is free again.
    void on_not_started(SteadyTime started);

private:
    void open(SteadyTime now, std::chrono::milliseconds cool_down);
    bool is_probe(SteadyTime started) const {
        return state_ == State::half_open && started >= probe_started_;
    }

    Options options_;
    State state_ = State::closed;
    int failures_ = 0;
    std::chrono::milliseconds cool_down_{0};
    SteadyTime open_until_{};
    SteadyTime probe_started_{};
};

// A rate as requests a second, smooth: burst of at most one second's worth (at least 1), GCRA. rate 0:
// unlimited.
class RateLimiter {
public:
    explicit RateLimiter(int requests_per_second = 0) { set_rate(requests_per_second); }
    void set_rate(int requests_per_second);
    int rate() const { return rate_; }
    bool try_take(SteadyTime now);
    void give_back();                               // what was taken was not sent after all
    SteadyTime available_at(SteadyTime now) const;  // now, if try_take would succeed

private:
    int rate_ = 0;
    Duration interval_{0};
    Duration tolerance_{0};
    // When the next request would be due at an even pace; a burst may run ahead of it by tolerance_.
    SteadyTime theoretical_{};
};

}  // namespace posthorn::domain
