#include "bench/ledger.hpp"

#include "bench/measurement.hpp"
#include "support/catch.hpp"

using namespace posthorn::bench;

namespace {
void arrive(Ledger& ledger, std::uint64_t number, std::int64_t at_ns) {
    ledger[number].arrived_ns = at_ns;
    ++ledger[number].arrivals;
}
}  // namespace

TEST_CASE("a message has a number for each of its deliveries") {
    Ledger ledger(10);
    CHECK(ledger.take({.first_endpoint = 5, .endpoints = 3}, 100) == 0);
    CHECK(ledger.take({.first_endpoint = 9}, 200) == 3);
    CHECK(ledger.next() == 4);
    CHECK(ledger[0].destination.first_endpoint == 5);
    CHECK(ledger[0].destination.endpoints == 3);
    CHECK(ledger[2].due_ns == 100);
    CHECK(ledger[3].due_ns == 200);
}

TEST_CASE("what is not expected to arrive is so for all of a message's deliveries") {
    Ledger ledger(10);
    ledger.take({.first_endpoint = 0, .endpoints = 2, .expected = false}, 1);
    CHECK(!ledger[0].destination.expected);
    CHECK(!ledger[1].destination.expected);
}

TEST_CASE("a full ledger takes no message, not even in part") {
    Ledger ledger(3);
    ledger.take({.first_endpoint = 0, .endpoints = 2}, 1);
    CHECK_THROWS_AS(ledger.take({.first_endpoint = 0, .endpoints = 2}, 1), std::length_error);
    CHECK(ledger.take({.first_endpoint = 0}, 1) == 2);
}

TEST_CASE("every arrival after the first is a duplicate") {
    Ledger ledger(3);
    for (int i = 0; i < 3; ++i) ledger.take({}, 1);
    arrive(ledger, 0, 10);
    for (int i = 0; i < 3; ++i) arrive(ledger, 1, 20);
    CHECK(duplicates_so_far(ledger) == 2);
}

TEST_CASE("percentiles are by the nearest rank") {
    std::vector<std::int64_t> times;
    for (std::int64_t ms = 1; ms <= 200; ++ms) times.push_back(ms * 1'000'000);
    const auto found = percentiles_of(times);
    CHECK(found.p50 == 100);
    CHECK(found.p90 == 180);
    CHECK(found.p99 == 198);
    CHECK(found.max == 200);
    CHECK(percentiles_of({7'000'000}).p50 == 7);
    CHECK(percentiles_of({}).max == 0);
}

TEST_CASE("arrival times are those of the chosen endpoints, from when the message was due") {
    Ledger ledger(10);
    const auto message = ledger.take({.first_endpoint = 5, .endpoints = 3}, 1'000'000);
    arrive(ledger, message, 3'000'000);
    arrive(ledger, message + 1, 9'000'000);
    const auto of = [&](std::uint32_t wanted) {
        return arrival_times(ledger, 0, ledger.next(), [&](auto endpoint) { return endpoint == wanted; }).max;
    };
    CHECK(of(5) == 2);
    CHECK(of(6) == 8);
    CHECK(of(7) == 0);  // has not arrived
}

TEST_CASE("the median is the middle one, of two the lower") {
    std::vector<Measurement> all(3);
    all[0].delivered_per_second = 9;
    all[1].delivered_per_second = 1;
    all[2].delivered_per_second = 5;
    CHECK(median_throughput(all).delivered_per_second == 5);
    all.pop_back();
    CHECK(median_throughput(all).delivered_per_second == 1);
}
