#include "domain/retry_schedule.hpp"

#include "support/catch.hpp"

using namespace posthorn;
using namespace posthorn::domain;
using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::sys_days;

namespace {
const std::vector<milliseconds> default_delays{5s, 5min, 30min, 2h, 5h, 10h, 10h};

// Sun, 06 Nov 1994 08:49:37 GMT, RFC 9110's own example
const SystemTime example = sys_days(std::chrono::year(1994) / 11 / 6) + 8h + 49min + 37s;
const SystemTime today = sys_days(std::chrono::year(2026) / 11 / 23) + 12h;
}  // namespace

TEST_CASE("the default schedule has 8 attempts in 27 hours and 35 minutes, and no ninth") {
    const RetrySchedule schedule(default_delays);
    CHECK(schedule.attempts() == 8);
    Random random(1);
    milliseconds total{0};
    for (int attempt = 1; attempt < 8; ++attempt) total += schedule.delay_after(attempt, random).value();
    CHECK(total >= 27h + 35min);
    CHECK(total <= 33h + 6min + 6s);
    CHECK_FALSE(schedule.delay_after(8, random).has_value());
    CHECK_FALSE(schedule.delay_after(1'000'000, random).has_value());
}

TEST_CASE("a delay is never shorter than scheduled and never more than a fifth longer, whatever the seed") {
    const RetrySchedule schedule(default_delays);
    for (std::uint64_t seed = 0; seed < 2'000; ++seed) {
        Random random(seed);
        for (std::size_t i = 0; i < default_delays.size(); ++i) {
            const milliseconds delay = schedule.delay_after(static_cast<int>(i) + 1, random).value();
            REQUIRE(delay >= default_delays[i]);
            REQUIRE(delay * 10 <= default_delays[i] * 12);
        }
    }
}

TEST_CASE("what is added to a delay is spread over the whole fifth") {
    const RetrySchedule schedule({1000s});
    Random random(5);
    milliseconds shortest = 2000s, longest = 0s;
    for (int i = 0; i < 1'000; ++i) {
        const milliseconds delay = schedule.delay_after(1, random).value();
        shortest = std::min(shortest, delay);
        longest = std::max(longest, delay);
    }
    CHECK(shortest < 1005s);
    CHECK(longest > 1195s);
}

TEST_CASE("Retry-After lengthens a delay and never shortens it, whatever the seed") {
    const RetrySchedule schedule(default_delays);
    for (std::uint64_t seed = 0; seed < 2'000; ++seed) {
        Random random(seed);
        CHECK(schedule.delay_after(1, random, 2min) == milliseconds(2min));
        const milliseconds delay = schedule.delay_after(2, random, 2min).value();
        REQUIRE(delay >= 5min);
        REQUIRE(delay <= 6min);
        const milliseconds between = schedule.delay_after(2, random, 330s).value();
        REQUIRE(between >= 330s);
        REQUIRE(between <= 6min);
    }
}

TEST_CASE("Retry-After does not add an attempt") {
    Random random(1);
    CHECK_FALSE(RetrySchedule(default_delays).delay_after(8, random, 2min).has_value());
}

TEST_CASE("an empty schedule is one attempt, and a delay of zero stays zero") {
    Random random(1);
    CHECK(RetrySchedule({}).attempts() == 1);
    CHECK_FALSE(RetrySchedule({}).delay_after(1, random).has_value());
    CHECK(RetrySchedule({0s}).delay_after(1, random) == milliseconds(0));
}

TEST_CASE("Retry-After in seconds is taken as it stands, up to 24 hours") {
    CHECK(parse_retry_after("0", today) == milliseconds(0));
    CHECK(parse_retry_after("120", today) == milliseconds(2min));
    CHECK(parse_retry_after(" \t120 ", today) == milliseconds(2min));
    CHECK(parse_retry_after("00120", today) == milliseconds(2min));
    CHECK(parse_retry_after("86400", today) == milliseconds(24h));
    for (const char* text :
         {"86401", "9223372036854775807", "9223372036854775808", "99999999999999999999999999999"})
        CHECK(parse_retry_after(text, today) == milliseconds(24h));
}

TEST_CASE("Retry-After may be a date in any of HTTP's three forms") {
    for (const char* text :
         {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"}) {
        CAPTURE(text);
        CHECK(parse_retry_after(text, example - 90s) == milliseconds(90s));
        CHECK(parse_retry_after(text, example) == milliseconds(0));
    }
    CHECK(parse_retry_after("Mon Nov 23 12:00:30 2026", today) == milliseconds(30s));
}

TEST_CASE("a date is never reached early: parts of a millisecond are rounded up") {
    CHECK(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", example - 1s + 1us) == milliseconds(1000));
    CHECK(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", example - 1us) == milliseconds(1));
}

TEST_CASE("a date that has passed means now, one that is far away 24 hours") {
    CHECK(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", today) == milliseconds(0));
    CHECK(parse_retry_after("Fri, 31 Dec 9999 23:59:59 GMT", today) == milliseconds(24h));
    CHECK(parse_retry_after("Mon, 01 Jan 0001 00:00:00 GMT", today) == milliseconds(0));
}

TEST_CASE("a year of two digits is the latest that is not more than 50 years ahead") {
    CHECK(parse_retry_after("Monday, 23-Nov-26 12:00:10 GMT", today) == milliseconds(10s));
    CHECK(parse_retry_after("Monday, 23-Nov-76 12:00:10 GMT", today) == milliseconds(24h));
    CHECK(parse_retry_after("Monday, 23-Nov-77 12:00:10 GMT", today) == milliseconds(0));
    const SystemTime century_end = sys_days(std::chrono::year(2099) / 12 / 31) + 23h + 59min + 50s;
    CHECK(parse_retry_after("Friday, 01-Jan-00 00:00:00 GMT", century_end) == milliseconds(10s));
}

TEST_CASE("what is neither seconds nor a date gives nothing") {
    for (const char* text : {"",
                             " ",
                             "-1",
                             "+1",
                             "1.5",
                             "1e3",
                             "0x10",
                             "1 2",
                             "12s",
                             "soon",
                             "Sun, 06 Nov 1994 08:49:37",
                             "Sun, 06 Nov 1994 08:49:37 UTC",
                             "Sun, 6 Nov 1994 08:49:37 GMT",
                             "Xyz, 06 Nov 1994 08:49:37 GMT",
                             "Sunday, 06 Nov 1994 08:49:37 GMT",
                             "Sun, 06-Nov-94 08:49:37 GMT",
                             "Sun, 31 Nov 1994 08:49:37 GMT",
                             "Sun, 06 Nvo 1994 08:49:37 GMT",
                             "Sun, 06 Nov 1994 24:49:37 GMT",
                             "Sun, 06 Nov 1994 08:60:37 GMT",
                             "Sun, 06 Nov 1994 08:49:61 GMT",
                             "Sun, 06 Nov 1994 08.49.37 GMT",
                             "Sun, 00 Nov 1994 08:49:37 GMT",
                             "Sun Nov 6 08:49:37 1994",
                             "Sun Nov xx 08:49:37 1994",
                             "Sun, 06 Nov 19 4 08:49:37 GMT",
                             "Sun, 06 Nov -994 08:49:37 GMT",
                             "2026-11-23T12:00:00Z"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_retry_after(text, today).has_value());
    }
}
