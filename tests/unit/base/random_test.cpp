#include "base/random.hpp"

#include "support/catch.hpp"

using namespace posthorn;

TEST_CASE("a seeded generator repeats itself, another seed gives something else") {
    Random first(1), again(1), other(2);
    for (int i = 0; i < 100; ++i) {
        const auto value = first.next();
        CHECK(value == again.next());
        CHECK(value != other.next());
    }
}

TEST_CASE("unit() stays within [0, 1) and fills it") {
    Random random(3);
    double smallest = 1, largest = 0;
    for (int i = 0; i < 10'000; ++i) {
        const double value = random.unit();
        REQUIRE(value >= 0);
        REQUIRE(value < 1);
        smallest = std::min(smallest, value);
        largest = std::max(largest, value);
    }
    CHECK(smallest < 0.01);
    CHECK(largest > 0.99);
}

TEST_CASE("random bytes come in the asked number and not twice") {
    CHECK(random_bytes(0).empty());
    CHECK(random_bytes(32).size() == 32);
    CHECK(random_bytes(32) != random_bytes(32));
}
