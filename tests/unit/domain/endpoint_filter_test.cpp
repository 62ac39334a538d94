#include "domain/endpoint_filter.hpp"

#include "support/catch.hpp"

using namespace posthorn::domain;

TEST_CASE("an endpoint without filters gets every message") {
    CHECK(matches({}, "order.paid", {}));
    CHECK(matches({}, "order.paid", {"eu"}));
}

TEST_CASE("an endpoint with event types gets those alone, written exactly") {
    const EndpointFilter filter{.event_types = {{"order.paid", "order.sent"}}, .channels = {}};
    CHECK(matches(filter, "order.paid", {}));
    CHECK(matches(filter, "order.sent", {"eu"}));
    for (const char* type : {"order", "order.pai", "order.paid.late", "Order.Paid", ""})
        CHECK_FALSE(matches(filter, type, {}));
}

TEST_CASE("a wildcard stands for everything behind its dot") {
    const EndpointFilter filter{.event_types = {{"order.*", "a_b.c.*"}}, .channels = {}};
    for (const char* type : {"order.paid", "order.paid.late", "a_b.c.d", "order."})
        CHECK(matches(filter, type, {}));
    for (const char* type : {"order", "orders.paid", "axb.c.d", "a_b.c", "x.order.paid"})
        CHECK_FALSE(matches(filter, type, {}));
}

TEST_CASE("an endpoint with channels gets messages that have one in common") {
    const EndpointFilter filter{.event_types = {}, .channels = {{"eu", "us"}}};
    CHECK(matches(filter, "order.paid", {"us"}));
    CHECK(matches(filter, "order.paid", {"asia", "eu"}));
    CHECK_FALSE(matches(filter, "order.paid", {"asia"}));
    CHECK_FALSE(matches(filter, "order.paid", {}));
}

TEST_CASE("event types and channels must both match") {
    const EndpointFilter filter{.event_types = {{"order.paid"}}, .channels = {{"eu"}}};
    CHECK(matches(filter, "order.paid", {"eu"}));
    CHECK_FALSE(matches(filter, "order.paid", {"us"}));
    CHECK_FALSE(matches(filter, "order.sent", {"eu"}));
}

TEST_CASE("an empty list matches nothing") {
    CHECK_FALSE(matches({.event_types = std::vector<std::string>{}, .channels = {}}, "order.paid", {}));
    CHECK_FALSE(matches({.event_types = {}, .channels = std::vector<std::string>{}}, "order.paid", {"eu"}));
}

TEST_CASE("a name has letters, digits, hyphens, underscores and dots, one to as many as are allowed") {
    CHECK(is_valid_name("Order_Paid-2.v1", 256));
    CHECK(is_valid_name("a", 1));
    CHECK(is_valid_name(std::string(256, 'x'), 256));
    CHECK_FALSE(is_valid_name(std::string(257, 'x'), 256));
    CHECK_FALSE(is_valid_name("", 256));
    for (const char* text : {"a b", "a/b", "a\n", "a:b", "a*", "gr\xc3\xbc\xc3\x9f", "a,b", "{a}"})
        CHECK_FALSE(is_valid_name(text, 256));
    CHECK_FALSE(is_valid_name(std::string_view("a\0", 2), 256));
}
