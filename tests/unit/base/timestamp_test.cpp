#include "base/timestamp.hpp"

#include "support/catch.hpp"

using namespace posthorn;
using namespace std::chrono_literals;
using std::chrono::sys_days;

namespace {
SystemTime at(int year, unsigned month, unsigned day) {
    return sys_days(std::chrono::year(year) / static_cast<int>(month) / static_cast<int>(day));
}
}  // namespace

TEST_CASE("a timestamp is written in UTC with microseconds") {
    CHECK(format_timestamp(SystemTime{}) == "1970-01-01T00:00:00.000000Z");
    CHECK(format_timestamp(at(2026, 11, 23) + 12h + 123'456us) == "2026-11-23T12:00:00.123456Z");
    CHECK(format_timestamp(at(2024, 2, 29) + 23h + 59min + 59s + 999'999us) == "2024-02-29T23:59:59.999999Z");
    CHECK(format_timestamp(SystemTime{} - 1us) == "1969-12-31T23:59:59.999999Z");
}

TEST_CASE("a timestamp reads back what was written") {
    const SystemTime time = at(2031, 3, 4) + 5h + 6min + 7s + 8us;
    CHECK(parse_timestamp(format_timestamp(time)) == time);
    CHECK(parse_timestamp("9999-12-31T23:59:59.999999Z") == at(10'000, 1, 1) - 1us);
}

TEST_CASE("a timestamp may have any offset") {
    const SystemTime noon = at(2026, 11, 23) + 12h;
    for (const char* text :
         {"2026-11-23T12:00:00Z", "2026-11-23t12:00:00z", "2026-11-23T13:00:00+01:00",
          "2026-11-23T06:30:00-05:30", "2026-11-24T11:59:00+23:59", "2026-11-23T12:00:00-00:00"})
        CHECK(parse_timestamp(text) == noon);
}

TEST_CASE("a timestamp has up to nine fraction digits, of which six are kept") {
    const SystemTime second = at(2026, 11, 23);
    CHECK(parse_timestamp("2026-11-23T00:00:00.5Z") == second + 500ms);
    CHECK(parse_timestamp("2026-11-23T00:00:00.000001Z") == second + 1us);
    CHECK(parse_timestamp("2026-11-23T00:00:00.123456789Z") == second + 123'456us);
    CHECK_FALSE(parse_timestamp("2026-11-23T00:00:00.1234567890Z"));
    CHECK_FALSE(parse_timestamp("2026-11-23T00:00:00.Z"));
}

TEST_CASE("a leap second is the next day's first second, and stands only at a day's end in UTC") {
    CHECK(parse_timestamp("2016-12-31T23:59:60Z") == at(2017, 1, 1));
    CHECK(parse_timestamp("2016-12-31T15:59:60.5-08:00") == at(2017, 1, 1) + 500ms);
    CHECK_FALSE(parse_timestamp("2016-12-31T12:00:60Z"));
}

TEST_CASE("what is no timestamp, or lies outside of 1970 to 9999, is refused") {
    for (const char* text : {"",
                             "2026",
                             "2026-11-23",
                             "2026-11-23T12:00Z",
                             "2026-11-23T12:00:00",
                             "2026-11-23 12:00:00Z",
                             "2026-11-23T12:00:00Z ",
                             " 2026-11-23T12:00:00Z",
                             "2026-13-01T00:00:00Z",
                             "2026-00-01T00:00:00Z",
                             "2026-02-29T00:00:00Z",
                             "2026-11-31T00:00:00Z",
                             "2026-11-00T00:00:00Z",
                             "2026-11-23T24:00:00Z",
                             "2026-11-23T12:60:00Z",
                             "2026-11-23T12:00:61Z",
                             "2026-11-23T12:00:00+1:00",
                             "2026-11-23T12:00:00+24:00",
                             "2026-11-23T12:00:00+01:60",
                             "2026-11-23T12:00:00+0100",
                             "2026-11-23T12:00:00,5Z",
                             "26-11-23T12:00:00Z",
                             "-026-11-23T12:00:00Z",
                             "+2026-11-23T12:00:00Z",
                             "2026-11-2xT12:00:00Z",
                             "1969-12-31T23:59:59Z",
                             "1970-01-01T00:00:00+00:01",
                             "9999-12-31T23:59:59-00:01",
                             "0000-01-01T00:00:00Z"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_timestamp(text).has_value());
    }
}
