#include "bench/report.hpp"

#include "support/catch.hpp"

using namespace posthorn::bench;
using posthorn::test::contains;

TEST_CASE("a figure meets its goal at the goal itself") {
    const Goal least{Goal::Sense::at_least, 50}, most{Goal::Sense::at_most, 20};
    CHECK(Figure{"s", "n", 50, "%", least}.met());
    CHECK(!Figure{"s", "n", 49, "%", least}.met());
    CHECK(Figure{"s", "n", 20, "ms", most}.met());
    CHECK(!Figure{"s", "n", 21, "ms", most}.met());
    CHECK(Figure{"s", "n", 1, "", std::nullopt}.met());
}

TEST_CASE("a figure's ratio is to its goal") {
    CHECK(Figure{"s", "n", 60, "%", Goal{Goal::Sense::at_least, 50}}.ratio() == 1.2);
    CHECK(Figure{"s", "n", 60, "%", std::nullopt}.ratio() == 0);
}

TEST_CASE("the table has a line a figure, and says what was not met") {
    Results results;
    results.add("throughput", "delivered", 12'345, "messages/s");
    results.add("latency", "p99", 30, "ms", Goal{Goal::Sense::at_most, 20});
    const auto table = table_of(results);
    CHECK_THAT(table, contains("12345 messages/s"));
    CHECK_THAT(table, contains("<= 20.0"));
    CHECK_THAT(table, contains("1.50  NOT MET"));
    CHECK(results.value_of("latency", "p99") == 30);
    CHECK(!results.value_of("latency", "p50"));
}

TEST_CASE("one message that went wrong is a flaw") {
    CHECK(Tally{}.flawless());
    for (auto field : {&Tally::refused, &Tally::lost, &Tally::duplicates, &Tally::foreign,
                       &Tally::misdelivered, &Tally::forged}) {
        Tally tally;
        tally.*field = 1;
        CHECK(!tally.flawless());
    }
    Tally tally;
    tally.exit_status = 137;
    CHECK(!tally.flawless());
}

TEST_CASE("a measurement is counted with what it lost and what was refused") {
    Measurement measured;
    measured.accepted = 10;
    measured.arrived = 7;
    measured.sent.refused = {{503, 2}, {429, 3}};
    Tally tally;
    tally.add(measured);
    CHECK(tally.sent == 10);
    CHECK(tally.arrived == 7);
    CHECK(tally.lost == 3);
    CHECK(tally.refused == 5);
}
