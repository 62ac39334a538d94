#include "bench/event.hpp"

#include <set>
#include <stdexcept>

#include "support/catch.hpp"

using namespace posthorn::bench;

TEST_CASE("a payload has its size and its number, and is found in what is submitted") {
    Event event(500);
    const std::string payload(event.payload(123'456));
    CHECK(payload.size() == 500);
    CHECK(Event::number_in(payload) == 123'456);
    CHECK(event.submission(123'456).find(payload) != std::string_view::npos);
}

TEST_CASE("payloads differ in their number alone, at the place that SQL writes it to") {
    Event event(64);
    std::string written(event.payload(0));
    written.replace(Event::number_position - 1, Event::number_digits, "000000000042");
    CHECK(written == event.payload(42));
}

TEST_CASE("the filler does not repeat itself") {
    Event event(4'000);
    const std::string payload(event.payload(0));
    std::set<std::string> pieces;
    for (std::size_t at = 100; at + 8 <= 3'900; at += 8) pieces.insert(payload.substr(at, 8));
    CHECK(pieces.size() == 475);
}

TEST_CASE("what is none of ours has no number") {
    CHECK(!Event::number_in(""));
    CHECK(!Event::number_in(std::string(200, 'x')));
    std::string payload(Event(64).payload(7));
    payload[15] = 'x';
    CHECK(!Event::number_in(payload));
}

TEST_CASE("a payload below the smallest size is refused") {
    CHECK_NOTHROW(Event(smallest_payload_bytes));
    CHECK_THROWS_AS(Event(smallest_payload_bytes - 1), std::invalid_argument);
}
