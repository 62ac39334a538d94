#include "domain/openapi_webhooks.hpp"

#include <boost/json.hpp>

#include "domain/json_pointer.hpp"
#include "support/catch.hpp"

using namespace posthorn::domain;
namespace json = boost::json;

namespace {

// A document with one webhook, "a", of this schema.
std::string document(const std::string& schema, const std::string& components = "{}",
                     const std::string& version = "3.1.0", const std::string& beside_schema = "") {
    return R"({"openapi":")" + version +
           R"(","webhooks":{"a":{"post":{"requestBody":{"content":{"application/json":{)" + beside_schema +
           R"("schema":)" + schema + R"(}}}}}},"components":{"schemas":)" + components + "}}";
}

std::vector<OpenApiWebhook> webhooks(const std::string& text) {
    auto read = read_openapi_webhooks(json::parse(text));
    if (const auto* wrong = std::get_if<std::vector<OpenApiProblem>>(&read))
        throw std::runtime_error(to_pointer(wrong->front().path) + ": " + wrong->front().rule);
    return std::get<std::vector<OpenApiWebhook>>(std::move(read));
}

std::string schema(const std::string& text) { return json::serialize(webhooks(text).at(0).schema.value()); }

// "/pointer: rule" of each problem.
std::string problems(const std::string& text) {
    const auto read = read_openapi_webhooks(json::parse(text));
    std::string all;
    if (const auto* wrong = std::get_if<std::vector<OpenApiProblem>>(&read))
        for (const auto& [path, rule] : *wrong) all += to_pointer(path) + ": " + rule + "\n";
    return all;
}

}  // namespace

TEST_CASE("each webhook becomes an event type") {
    const auto read = webhooks(R"({"openapi":"3.1.0",
        "webhooks":{"b":{"post":{"description":"d","summary":"s","deprecated":true,"x-svix-feature-flags":["f","g"],
                                 "x-svix-group-name":"group"}},
                    "a":{"summary":"item","put":{"x-svix-feature-flag":"h"}}},
        "x-webhooks":{"c":{"$ref":"#/components/pathItems/c"}},
        "components":{"pathItems":{"c":{"post":{"requestBody":{"$ref":"#/components/requestBodies/c"}}}},
                      "requestBodies":{"c":{"content":{"application/cloudevents+json":{"schema":{"type":"object"}}}}}}})");
    REQUIRE(read.size() == 3);
    CHECK(read[0].name == "a");
    CHECK(read[0].description == "item");
    CHECK(read[0].feature_flag == "h");
    CHECK_FALSE(read[0].schema);
    CHECK(read[1].name == "b");
    CHECK(read[1].description == "d");
    CHECK(read[1].deprecated);
    CHECK(read[1].feature_flag == "f");
    CHECK(read[1].group == "group");
    CHECK(json::serialize(*read[2].schema) == R"({"type":"object"})");
}

TEST_CASE("what a schema refers to comes with it, recursion too") {
    const std::string components =
        R"({"User":{"type":"object","properties":{"friends":{"items":{"$ref":"#/components/schemas/User"}},
        "address":{"$ref":"#/components/schemas/A~1B"}}},"A/B":{"type":"string"},"Unused":{}})";
    CHECK(json::parse(schema(document(R"({"$ref":"#/components/schemas/User"})", components))) ==
          json::parse(R"({"type":"object","properties":{"friends":{"items":{"$ref":"#/definitions/User"}},
                          "address":{"$ref":"#/definitions/A~1B"}},
                          "definitions":{"User":{"type":"object","properties":{"friends":{"items":{"$ref":"#/definitions/User"}},
                          "address":{"$ref":"#/definitions/A~1B"}}},"A/B":{"type":"string"}}})"));
    // Names that look like keywords, and what is no schema, stay.
    const std::string as_is =
        R"({"properties":{"$ref":{"type":"string"},"nullable":{"enum":[{"$ref":"x"}]}}})";
    CHECK(schema(document(as_is)) == as_is);
}

TEST_CASE("what stands beside a reference counts since OpenAPI 3.1") {
    const std::string given = R"({"items":{"$ref":"#/components/schemas/N","minimum":1}})",
                      n = R"({"N":{"type":"number"}})";
    CHECK(
        schema(document(given, n)) ==
        R"({"items":{"minimum":1,"allOf":[{"$ref":"#/definitions/N"}]},"definitions":{"N":{"type":"number"}}})");
    CHECK(schema(document(given, n, "3.0.3")) ==
          R"({"items":{"$ref":"#/definitions/N"},"definitions":{"N":{"type":"number"}}})");
}

TEST_CASE("what OpenAPI 3.0 says in its own way becomes JSON Schema") {
    CHECK(schema(document(R"({"type":"string","nullable":true,"enum":["a"]})", "{}", "3.0.0")) ==
          R"({"type":["string","null"],"enum":["a",null]})");
    CHECK(schema(document(R"({"nullable":false,"exclusiveMinimum":false,"minimum":1})", "{}", "3.0.0")) ==
          R"({"minimum":1})");
    CHECK(schema(document(R"({"maximum":5,"exclusiveMaximum":true})", "{}", "3.0.0")) ==
          R"({"exclusiveMaximum":5})");
}

TEST_CASE("examples of the body are kept") {
    CHECK(schema(document(R"({"type":"object"})", "{}", "3.1.0", R"("example":{"a":1},)")) ==
          R"({"type":"object","example":{"a":1}})");
    CHECK(schema(document(R"({"type":"object"})", "{}", "3.1.0",
                          R"("examples":{"x":{"value":1},"y":{"value":2}},)")) ==
          R"({"type":"object","examples":[1,2]})");
    CHECK(schema(document(R"({"example":0})", "{}", "3.1.0", R"("example":{"a":1},)")) == R"({"example":0})");
}

TEST_CASE("what can't be imported is told with its place, all at once") {
    for (const std::string bad :
         {"5", "{}", R"({"openapi":"2.0","webhooks":{}})", R"({"openapi":3.1,"webhooks":{}})",
          R"({"openapi":"3.1.0"})", R"({"openapi":"3.1.0","webhooks":[]})"}) {
        INFO(bad);
        CHECK_FALSE(problems(bad).empty());
    }
    CHECK(problems(R"({"openapi":"3.1.0","webhooks":{}})").empty());
    CHECK(problems(R"({"openapi":"3.1.0","webhooks":{"a/b":5,"c":{},"d":{"$ref":"#/x"},"e":{"post":{}}},
                       "x-webhooks":{"e":{"post":{}}},"x":{"$ref":"#/x"}})") ==
          "/webhooks/a~1b: must be an object, or refer to one of the document\n"
          "/webhooks/c: must have an operation, `post` for example\n"
          "/webhooks/d: must be an object, or refer to one of the document\n"
          "/x-webhooks/e: is there twice\n");
    CHECK_THAT(problems(document(R"({"items":{"$ref":"#/components/schemas/None"}})")),
               posthorn::test::contains("refers to #/components/schemas/None, which is not there"));
    CHECK_THAT(problems(document(R"({"$ref":"other.json#/a"})")),
               posthorn::test::contains("/$ref: must begin with"));
}

TEST_CASE("the number of webhooks and the size of what they refer to are limited") {
    const auto many = [](std::size_t count, const std::string& schema) {
        std::string all;
        for (std::size_t i = 0; i < count; ++i)
            all += (i == 0 ? "\"" : ",\"") + std::to_string(i) +
                   R"(":{"post":{"requestBody":{"content":{"application/json":{"schema":)" + schema + "}}}}}";
        return all;
    };
    const std::string begin = R"({"openapi":"3.1.0","webhooks":{)";
    CHECK(webhooks(begin + many(most_openapi_webhooks, "{}") + "}}").size() == most_openapi_webhooks);
    CHECK_THAT(problems(begin + many(most_openapi_webhooks + 1, "{}") + "}}"),
               posthorn::test::contains("at most 500 webhooks"));
    const auto large =
        R"(},"components":{"schemas":{"Large":{"description":")" + std::string(100'000, 'x') + R"("}}}})";
    CHECK_THAT(problems(begin + many(400, R"({"$ref":"#/components/schemas/Large"})") + large),
               posthorn::test::contains("at most 500000 values"));
}
