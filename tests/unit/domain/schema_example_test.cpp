#include "domain/schema_example.hpp"

#include <boost/json.hpp>

#include "support/catch.hpp"

using posthorn::domain::example_of;
namespace json = boost::json;

namespace {
json::value example(const std::string& schema) { return example_of(json::parse(schema).as_object()); }
}  // namespace

TEST_CASE("a schema's own example comes first") {
    CHECK(example(R"({"type":"string","example":"a","default":"b"})") == "a");
    CHECK(example(R"({"type":"string","examples":["a","b"]})") == "a");
    CHECK(example(R"({"type":"string","default":"b","enum":["c"]})") == "b");
    CHECK(example(R"({"enum":["c","d"]})") == "c");
    CHECK(example(R"({"const":7})") == 7);
}

TEST_CASE("without one it is made from types and properties") {
    CHECK(
        example(
            R"({"type":"object","properties":{"id":{"type":"integer"},"at":{"type":"string","format":"date"},
                      "tags":{"type":"array","items":{"type":"string"}},"on":{"type":["boolean","null"]},
                      "inner":{"properties":{"x":{"type":"number"}}},"any":true}})") ==
        json::parse(R"({"id":1,"at":"2026-01-31","tags":["text"],"on":true,"inner":{"x":1.5},"any":null})"));
    CHECK(example("{}") == nullptr);
    CHECK(example(R"({"type":"array"})") == json::array());
}

TEST_CASE("a schema that nests deeper than an example is cut off") {
    std::string schema = R"({"type":"string"})";
    for (int i = 0; i < 20; ++i) schema = R"({"type":"array","items":)" + schema + "}";
    CHECK(json::serialize(example(schema)) == "[[[[[[[[null]]]]]]]]");
}
