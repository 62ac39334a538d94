#include "base/duration.hpp"

#include "support/catch.hpp"

using namespace posthorn;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

TEST_CASE("a duration is a whole number and a unit, or several added up") {
    CHECK(parse_duration("0s").value() == 0ms);
    CHECK(parse_duration("250ms").value() == 250ms);
    CHECK(parse_duration("15s").value() == 15s);
    CHECK(parse_duration("5m").value() == 5min);
    CHECK(parse_duration("2h").value() == 2h);
    CHECK(parse_duration("90d").value() == 90 * 24h);
    CHECK(parse_duration("1h30m").value() == 90min);
    CHECK(parse_duration(" 1m500ms ").value() == 60'500ms);
    CHECK(parse_duration("3650d").value() == 3650 * 24h);
}

TEST_CASE("what is no duration, or too long a one, is refused") {
    for (const char* text : {"", " ", "5", "s", "-5s", "+5s", "5 s", "5x", "5S", "1.5s", "5s5", "s5", "3651d",
                             "3650d1ms", "99999999999999999999s", "5s,", "1h-5m"}) {
        CAPTURE(text);
        CHECK(parse_duration(text).has_error());
    }
}

TEST_CASE("a list of durations is separated by commas") {
    CHECK(parse_durations("5s,5m,30m").value() == std::vector<milliseconds>{5s, 5min, 30min});
    CHECK(parse_durations(" 5s , 5m ").value() == std::vector<milliseconds>{5s, 5min});
    CHECK(parse_durations("").value().empty());
    CHECK(parse_durations("  ").value().empty());
    for (const char* text : {",", "5s,", ",5s", "5s,,5m", "5s;5m"}) CHECK(parse_durations(text).has_error());
}

TEST_CASE("a duration is written in its shortest exact form and read back") {
    CHECK(format_duration(0ms) == "0s");
    CHECK(format_duration(90s) == "1m30s");
    CHECK(format_duration(27h + 35min + 5s) == "1d3h35m5s");
    CHECK(format_duration(1'001ms) == "1s1ms");
    for (const milliseconds value : {1ms, 999ms, 60'000ms, 86'400'000ms, 86'399'999ms})
        CHECK(parse_duration(format_duration(value)).value() == value);
}
