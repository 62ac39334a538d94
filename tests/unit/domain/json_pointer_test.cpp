#include "domain/json_pointer.hpp"

#include <boost/json.hpp>

#include "support/catch.hpp"

using namespace posthorn::domain;
namespace json = boost::json;

TEST_CASE("a pointer escapes what would read as its own signs") {
    CHECK(to_pointer({}).empty());
    CHECK(to_pointer(std::vector<std::string>{"a/b", "m~n", "", "0", "~1"}) == "/a~1b/m~0n//0/~01");
}

TEST_CASE("a reference leads to a place of the document") {
    const auto document = json::parse(R"({"a/b":[1,{"m~n":2}],"":3,"%":4,"x y":5,"~1":6})");
    const auto at = [&](const char* reference) {
        const auto* value = find_referenced(document, reference).value;
        return value == nullptr ? "nothing" : json::serialize(*value);
    };
    CHECK(at("#") == json::serialize(document));
    CHECK(at("#/a~1b/0") == "1");
    CHECK(at("#/a~1b/1/m~0n") == "2");
    CHECK(at("#/") == "3");
    CHECK(at("#/%25") == "4");
    CHECK(at("#/x%20y") == "5");
    CHECK(at("#/~01") == "6");
    for (const auto* bad : {"", "a", "#a", "#/nowhere", "#/a~1b/2", "#/a~1b/00", "#/a~1b/-", "#/a~1b/-1",
                            "#/a~1b/0/0", "#/%", "#/%2", "#/%zz", "other.json#/a"}) {
        INFO(bad);
        CHECK(at(bad) == "nothing");
    }
    CHECK(find_referenced(document, "#/a~1b/1").steps == std::vector<std::string>{"a/b", "1"});
}
