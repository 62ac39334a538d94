#include "domain/flow_control.hpp"

#include <algorithm>
#include <deque>
#include <optional>
#include <vector>

#include "base/random.hpp"
#include "support/catch.hpp"

using namespace posthorn;
using namespace posthorn::domain;
using namespace std::chrono_literals;
using State = CircuitBreaker::State;

namespace {
const SystemTime some_day{1'764'000'000s};

struct OpenBreaker {
    ManualClock clock{some_day};
    CircuitBreaker breaker{{.threshold = 3, .first_cool_down = 1s, .longest_cool_down = 4s}};
    SteadyTime before = clock.steady_now();

    OpenBreaker() {
        for (int i = 0; i < 3; ++i) {
            REQUIRE(breaker.try_start(before));
            breaker.on_failure(clock.steady_now(), before);
        }
        REQUIRE(breaker.state() == State::open);
    }
    SteadyTime now() const { return clock.steady_now(); }
};
}  // namespace

TEST_CASE("the concurrency limit grows by one for each success at the limit, up to the maximum") {
    ConcurrencyLimit limit({.initial = 2, .maximum = 4});
    limit.on_success(1);
    CHECK(limit.limit() == 2);  // the limit held nothing back
    limit.on_success(2);
    CHECK(limit.limit() == 3);
    limit.on_success(2);
    CHECK(limit.limit() == 3);
    limit.on_success(3);
    CHECK(limit.limit() == 4);
    limit.on_success(4);
    CHECK(limit.limit() == 4);
}

TEST_CASE("the concurrency limit is halved by a failure, never below one") {
    ConcurrencyLimit limit({.initial = 5, .maximum = 8});
    for (const int expected : {2, 1, 1}) {
        limit.on_failure(1);
        CHECK(limit.limit() == expected);
    }
}

TEST_CASE("a round of failures halves the concurrency limit once") {
    ConcurrencyLimit limit({.initial = 8, .maximum = 8});
    for (int in_flight = 8; in_flight >= 1; --in_flight) limit.on_failure(in_flight);
    CHECK(limit.limit() == 4);
    limit.on_failure(4);  // the next round
    CHECK(limit.limit() == 2);
}

TEST_CASE("the rest of a round that shrank the limit does not grow it either") {
    ConcurrencyLimit limit({.initial = 8, .maximum = 8});
    limit.on_failure(8);
    for (int in_flight = 7; in_flight >= 1; --in_flight) limit.on_success(in_flight);
    CHECK(limit.limit() == 4);
    limit.on_success(4);
    CHECK(limit.limit() == 5);
}

TEST_CASE("requests that end without a word do not make later failures count for nothing") {
    ConcurrencyLimit limit({.initial = 64, .maximum = 64});
    limit.on_failure(64);  // the other 63 are cancelled
    limit.on_failure(2);   // at most these two can be of that round
    limit.on_failure(1);
    CHECK(limit.limit() == 32);
    limit.on_failure(2);
    CHECK(limit.limit() == 16);
}

TEST_CASE("the concurrency limit stays within its bounds whatever happens") {
    Random random(11);
    ConcurrencyLimit limit({.initial = 4, .maximum = 16});
    int in_flight = 0;
    for (int step = 0; step < 20'000; ++step) {
        if (in_flight < limit.limit() && random.unit() < 0.6) {
            ++in_flight;
        } else if (in_flight > 0) {
            const double what = random.unit();
            if (what < 0.5) limit.on_success(in_flight);
            if (what > 0.7) limit.on_failure(in_flight);
            --in_flight;
        }
        REQUIRE(limit.limit() >= 1);
        REQUIRE(limit.limit() <= 16);
    }
}

TEST_CASE("the breaker opens after failures in a row, not after as many with a success between") {
    ManualClock clock(some_day);
    CircuitBreaker breaker({.threshold = 3});
    const SteadyTime now = clock.steady_now();
    for (int i = 0; i < 10; ++i) {
        REQUIRE(breaker.try_start(now));
        if (i % 3 == 2) {
            breaker.on_success();
        } else {
            breaker.on_failure(now, now);
        }
    }
    CHECK(breaker.state() == State::closed);
    CHECK_FALSE(breaker.opens_at().has_value());
    breaker.on_failure(now, now);
    breaker.on_failure(now, now);
    CHECK(breaker.state() == State::open);
    CHECK(breaker.opens_at() == now + 1s);
}

TEST_CASE("an open breaker lets exactly one probe through once its cool-down has passed") {
    OpenBreaker fixture;
    auto& breaker = fixture.breaker;
    fixture.clock.advance(999ms);
    CHECK_FALSE(breaker.try_start(fixture.now()));
    fixture.clock.advance(1ms);
    CHECK(breaker.opens_at() == fixture.now());
    CHECK(breaker.try_start(fixture.now()));
    CHECK(breaker.state() == State::half_open);
    CHECK_FALSE(breaker.opens_at().has_value());
    CHECK_FALSE(breaker.try_start(fixture.now()));
    fixture.clock.advance(1h);
    CHECK_FALSE(breaker.try_start(fixture.now()));
}

TEST_CASE("a probe's success closes the breaker, and the next cool-down is the first again") {
    OpenBreaker fixture;
    auto& breaker = fixture.breaker;
    for (const auto cool_down : {1s, 2s}) {
        fixture.clock.advance(cool_down);
        REQUIRE(breaker.try_start(fixture.now()));
        breaker.on_failure(fixture.now(), fixture.now());
    }
    fixture.clock.advance(4s);
    REQUIRE(breaker.try_start(fixture.now()));
    breaker.on_success();
    CHECK(breaker.state() == State::closed);
    for (int i = 0; i < 3; ++i) {
        CHECK(breaker.state() == State::closed);
        REQUIRE(breaker.try_start(fixture.now()));
        breaker.on_failure(fixture.now(), fixture.now());
    }
    CHECK(breaker.opens_at() == fixture.now() + 1s);
}

TEST_CASE("each failed probe doubles the cool-down, up to the longest") {
    OpenBreaker fixture;
    auto& breaker = fixture.breaker;
    for (const auto next : {2s, 4s, 4s, 4s}) {
        fixture.clock.advance(4s);
        const SteadyTime started = fixture.now();
        REQUIRE(breaker.try_start(started));
        fixture.clock.advance(500ms);
        breaker.on_failure(fixture.now(), started);
        CHECK(breaker.opens_at() == fixture.now() + next);
    }
}

TEST_CASE("a probe that was not sent frees its place at once") {
    OpenBreaker fixture;
    auto& breaker = fixture.breaker;
    fixture.clock.advance(1s);
    for (int i = 0; i < 3; ++i) {
        REQUIRE(breaker.try_start(fixture.now()));
        breaker.on_not_started(fixture.now());
        CHECK(breaker.state() == State::open);
        REQUIRE(breaker.opens_at().has_value());
        CHECK(*breaker.opens_at() <= fixture.now());
    }
    REQUIRE(breaker.try_start(fixture.now()));
    breaker.on_failure(fixture.now(), fixture.now());
    CHECK(breaker.opens_at() == fixture.now() + 2s);
}

TEST_CASE("a request that was not sent changes nothing at a closed breaker") {
    ManualClock clock(some_day);
    CircuitBreaker breaker({.threshold = 1});
    REQUIRE(breaker.try_start(clock.steady_now()));
    breaker.on_not_started(clock.steady_now());
    CHECK(breaker.state() == State::closed);
}

TEST_CASE(
    "failures of requests from before the breaker opened neither lengthen its cool-down nor count as the "
    "probe") {
    OpenBreaker fixture;
    auto& breaker = fixture.breaker;
    const auto opens_at = breaker.opens_at();
    fixture.clock.advance(500ms);
    breaker.on_failure(fixture.now(), fixture.before);
    breaker.on_not_started(fixture.before);
    CHECK(breaker.opens_at() == opens_at);

    fixture.clock.advance(500ms);
    REQUIRE(breaker.try_start(fixture.now()));
    breaker.on_failure(fixture.now(), fixture.before);
    breaker.on_not_started(fixture.before);
    CHECK(breaker.state() == State::half_open);
    CHECK_FALSE(breaker.try_start(fixture.now()));
}

TEST_CASE("a late success from before the breaker opened closes it") {
    OpenBreaker fixture;
    fixture.clock.advance(10ms);
    fixture.breaker.on_success();
    CHECK(fixture.breaker.state() == State::closed);
    CHECK(fixture.breaker.try_start(fixture.now()));
}

TEST_CASE("whatever order requests end in, there is never a second probe and never a deadlock") {
    const auto seed = GENERATE(range(1, 21));
    Random random(static_cast<std::uint64_t>(seed));
    ManualClock clock(some_day);
    CircuitBreaker breaker({.threshold = 3, .first_cool_down = 100ms, .longest_cool_down = 800ms});
    std::vector<SteadyTime> in_flight;  // by their start; the clock moves at every step, so each is different
    std::optional<SteadyTime> probe;
    int probes = 0;
    const auto start_one = [&](SteadyTime now) {
        const State before = breaker.state();
        if (!breaker.try_start(now)) return;
        REQUIRE(before != State::half_open);
        in_flight.push_back(now);
        if (before == State::closed) return;
        probe = now;
        ++probes;
    };
    const auto end_one = [&](SteadyTime now) {
        const auto at = in_flight.begin() + static_cast<std::ptrdiff_t>(random.next() % in_flight.size());
        const SteadyTime started = *at;
        in_flight.erase(at);
        const double what = random.unit();
        if (what < 0.05) {
            breaker.on_success();
        } else if (what < 0.9) {
            breaker.on_failure(now, started);
        } else {
            breaker.on_not_started(started);
        }
    };
    for (int step = 0; step < 5'000; ++step) {
        clock.advance(std::chrono::milliseconds(1 + random.next() % 40));
        const SteadyTime now = clock.steady_now();
        if (in_flight.size() < 8 && random.unit() < 0.6) {
            start_one(now);
        } else if (!in_flight.empty()) {
            end_one(now);
        }
        // Half open means that the probe itself is in flight: its end moves the breaker on.
        if (breaker.state() == State::half_open)
            REQUIRE(std::count(in_flight.begin(), in_flight.end(), probe.value()) == 1);
        if (breaker.state() == State::open) REQUIRE(*breaker.opens_at() <= now + 800ms);
    }
    CHECK(probes > 50);
}

TEST_CASE("a rate of zero is no limit") {
    ManualClock clock(some_day);
    RateLimiter limiter;
    for (int i = 0; i < 1'000; ++i) CHECK(limiter.try_take(clock.steady_now()));
    limiter.give_back();
    CHECK(limiter.available_at(clock.steady_now()) == clock.steady_now());
}

TEST_CASE("a rate allows a burst of one second's worth, then an even pace") {
    ManualClock clock(some_day);
    RateLimiter limiter(4);
    const SteadyTime start = clock.steady_now();
    for (int i = 0; i < 4; ++i) CHECK(limiter.try_take(start));
    CHECK_FALSE(limiter.try_take(start));
    CHECK(limiter.available_at(start) == start + 250ms);
    clock.advance(249ms);
    CHECK_FALSE(limiter.try_take(clock.steady_now()));
    clock.advance(1ms);
    CHECK(limiter.try_take(clock.steady_now()));
    CHECK_FALSE(limiter.try_take(clock.steady_now()));
    clock.advance(10s);
    for (int i = 0; i < 4; ++i) CHECK(limiter.try_take(clock.steady_now()));
    CHECK_FALSE(limiter.try_take(clock.steady_now()));  // what was not used is not saved up beyond that
}

TEST_CASE("a rate of one allows one request a second") {
    ManualClock clock(some_day);
    RateLimiter limiter(1);
    CHECK(limiter.try_take(clock.steady_now()));
    clock.advance(999ms);
    CHECK_FALSE(limiter.try_take(clock.steady_now()));
    clock.advance(1ms);
    CHECK(limiter.try_take(clock.steady_now()));
}

TEST_CASE("what was given back can be taken again") {
    ManualClock clock(some_day);
    RateLimiter limiter(1);
    const SteadyTime now = clock.steady_now();
    REQUIRE(limiter.try_take(now));
    limiter.give_back();
    CHECK(limiter.available_at(now) == now);
    CHECK(limiter.try_take(now));
    CHECK_FALSE(limiter.try_take(now));
}

TEST_CASE("a changed rate holds from then on, and what was used at the old one weighs a second at most") {
    ManualClock clock(some_day);
    RateLimiter limiter(1);
    REQUIRE(limiter.try_take(clock.steady_now()));
    limiter.set_rate(100);
    CHECK(limiter.rate() == 100);
    clock.advance(1s);
    for (int i = 0; i < 100; ++i) REQUIRE(limiter.try_take(clock.steady_now()));
    CHECK_FALSE(limiter.try_take(clock.steady_now()));
    limiter.set_rate(0);
    CHECK(limiter.try_take(clock.steady_now()));
    limiter.set_rate(-5);
    CHECK(limiter.rate() == 0);
}

TEST_CASE("over any time no more is taken than one burst and the rate allow") {
    const int rate = GENERATE(1, 3, 7, 100, 999);
    Random random(static_cast<std::uint64_t>(rate));
    ManualClock clock(some_day);
    RateLimiter limiter(rate);
    std::deque<SteadyTime> taken;  // within the last ten seconds
    for (int step = 0; step < 50'000; ++step) {
        clock.advance(std::chrono::microseconds(random.next() % 20'000));
        const SteadyTime now = clock.steady_now();
        while (!taken.empty() && taken.front() <= now - 10s) taken.pop_front();
        const SteadyTime available_at = limiter.available_at(now);
        const bool took = limiter.try_take(now);
        REQUIRE(took == (available_at == now));
        if (took) taken.push_back(now);
        REQUIRE(taken.size() <= static_cast<std::size_t>(11 * rate));
    }
}
