#include "domain/json_schema.hpp"

#include <boost/json.hpp>

#include "domain/json_pointer.hpp"
#include "support/catch.hpp"

using posthorn::domain::JsonSchema;
using posthorn::domain::SchemaProblem;
namespace json = boost::json;

namespace {

std::string text_of(const SchemaProblem& problem) { return problem.pointer + ": " + problem.rule; }

JsonSchema compiled(const std::string& schema) {
    auto result = JsonSchema::compile(json::parse(schema).as_object());
    if (const auto* problem = std::get_if<SchemaProblem>(&result))
        throw std::runtime_error(text_of(*problem));
    return std::get<JsonSchema>(std::move(result));
}

std::string why_not_enforced(const std::string& schema) {
    const auto result = JsonSchema::compile(json::parse(schema).as_object());
    const auto* problem = std::get_if<SchemaProblem>(&result);
    return problem == nullptr ? "" : text_of(*problem);
}

std::string why_not_stored(const std::string& schema) {
    const auto problem = JsonSchema::find_problem(json::parse(schema).as_object());
    return problem ? text_of(*problem) : "";
}

// "/pointer: rule", one a line.
std::string violations(const JsonSchema& schema, const json::value& value) {
    std::string all;
    for (const auto& [path, rule] : schema.validate(value))
        all += (all.empty() ? "" : "\n") + posthorn::domain::to_pointer(path) + ": " + rule;
    return all;
}
std::string violations(const std::string& schema, const std::string& value) {
    return violations(compiled(schema), json::parse(value));
}

}  // namespace

TEST_CASE("a violation names the place and the rule") {
    struct Row {
        const char* schema;
        const char* value;
        const char* wanted;
    };
    for (const auto& [schema, value, wanted] : {
             Row{R"({"type":"object"})", "[]", ": must be of type object"},
             Row{R"({"type":["string","null"]})", "1", ": must be of type string, null"},
             Row{R"({"required":["id","a\"b"]})", R"({"id":1})", R"(: must have the property "a\"b")"},
             Row{R"({"properties":{"a":{"items":{"type":"integer"}}}})", R"({"a":[1,1.5,"x"]})",
                 "/a/1: must be of type integer\n/a/2: must be of type integer"},
             Row{R"({"properties":{"a/b":{"properties":{"m~n":{"minimum":1}}}}})", R"({"a/b":{"m~n":0}})",
                 "/a~1b/m~0n: must be at least 1"},
             Row{R"({"properties":{"a":{}},"additionalProperties":false})", R"({"a":1,"b":2})",
                 "/b: is not allowed"},
             Row{R"({"enum":["a",1,null]})", "2", R"(: must be one of "a", 1, null)"},
             Row{R"({"const":{"a":1}})", "2", R"(: must be {"a":1})"},
             Row{R"({"exclusiveMaximum":1.5})", "1.5", ": must be less than 1.5"},
             Row{R"({"multipleOf":0.01})", "19.991", ": must be a multiple of 0.01"},
             Row{R"({"minLength":2})", R"("ä")", ": must have at least 2 characters"},
             Row{R"({"maxItems":1})", "[1,2]", ": must have at most 1 items"},
             Row{R"({"uniqueItems":true})", R"([{"a":1,"b":2},3,{"b":2.0,"a":1}])",
                 ": must not hold an item twice: 0 and 2 are equal"},
             Row{R"({"pattern":"^a"})", R"("b")", ": must match the pattern ^a"},
             Row{R"({"propertyNames":{"pattern":"^a"}})", R"({"b":1})",
                 "/b: has a name that `propertyNames` does not allow"},
             Row{R"({"contains":{"type":"null"}})", "[1]", ": must hold an item as `contains` describes it"},
             Row{R"({"not":{"type":"null"}})", "null", ": must not be as `not` describes it"},
             Row{R"({"anyOf":[{"type":"null"},{"properties":{"a":{"type":"null"}}, "type":"object"}]})",
                 R"({"a":1})",
                 ": must be as one of the schemas of `anyOf` wants it: must be of type null, or /a must be "
                 "of type null"},
             Row{R"({"oneOf":[{},{}]})", "1", ": must be as exactly one of the schemas of `oneOf` wants it"},
             Row{R"({"if":{"type":"string"},"then":{"minLength":1},"else":{"minimum":1}})", "0",
                 ": must be at least 1"},
             Row{R"({"dependencies":{"a":["b"]}})", R"({"a":1})", R"(: must have the property "b")"},
             Row{R"({"properties":{"n":{"$ref":"#"}},"type":"object"})", R"({"n":{"n":{"n":1}}})",
                 "/n/n/n: must be of type object"},
         }) {
        INFO(schema << " " << value);
        CHECK(violations(schema, value) == wanted);
    }
}

TEST_CASE("format and the content of texts are annotations, a reference's siblings are ignored") {
    CHECK(violations(R"({"format":"email","contentEncoding":"base64"})", R"("?")").empty());
    CHECK(violations(R"({"format":"date-time"})", "1").empty());
    CHECK(violations(R"({"definitions":{"a":{}},"properties":{"x":{"$ref":"#/definitions/a","minimum":5}}})",
                     R"({"x":1})")
              .empty());
}

TEST_CASE("patterns are read as ECMAScript's with Unicode") {
    CHECK(violations(R"({"pattern":"^\\ud83d\\ude00\\u{1F600}$"})", R"("😀😀")").empty());
    CHECK(violations(R"({"pattern":"^[\\S]+$"})", R"("a\u00a0b")") != "");
    CHECK(violations(R"({"patternProperties":{"^[\\b]$":false}})", R"({"\b":1})") == "/\b: is not allowed");
}

TEST_CASE(
    "integers are exact, decimals count to 15 digits, and what no double holds is refused where it matters") {
    CHECK(violations(R"({"maximum":9007199254740992})", "9007199254740993") != "");
    CHECK(violations(R"({"maximum":18446744073709551614})", "18446744073709551615") != "");
    CHECK(violations(R"({"const":18446744073709551615})", "18446744073709551615").empty());
    CHECK(violations(R"({"multipleOf":0.01})", "19.99").empty());
    CHECK(violations(R"({"type":"integer"})", "1e3").empty());
    CHECK(violations(R"({"properties":{"a":{"type":"number"}}})", R"({"a":1e400})") ==
          "/a: is a number beyond the range of a double");
    CHECK(violations(R"({"properties":{"a":{}}})", R"({"a":1e400,"b":-1e400})").empty());
}

TEST_CASE("a schema that is none is refused, with the place") {
    struct Row {
        const char* schema;
        const char* beginning;
    };
    for (const auto& [schema, beginning] : {
             Row{R"({"type":"strin"})", "/type: must be as one of the schemas of `anyOf` wants it"},
             Row{R"({"properties":{"a/b":{"minLength":-1}}})",
                 "/properties/a~1b/minLength: must be at least 0"},
             Row{R"({"properties":{"a":5}})", "/properties/a: must be of type object, boolean"},
             Row{R"({"required":["a","a"]})", "/required: must not hold an item twice"},
             Row{R"({"items":{"enum":5}})",
                 "/items: must be as one of the schemas of `anyOf` wants it: /enum must be of"},
             Row{R"({"exclusiveMinimum":true,"minimum":1})", "/exclusiveMinimum: must be of type number"},
             Row{R"({"$ref":"https://example.com/a.json"})", "/$ref: must begin with #"},
             Row{R"({"properties":{"a":{"$ref":"other.json#/a"}}})", "/properties/a/$ref: must begin with #"},
             Row{R"({"maximum":1e400})", "/maximum: "},
         }) {
        INFO(schema);
        CHECK_THAT(why_not_stored(schema), posthorn::test::contains(beginning));
        CHECK_THAT(why_not_enforced(schema), posthorn::test::contains(beginning));
    }
}

TEST_CASE("what can not be enforced may be stored") {
    struct Row {
        const char* schema;
        const char* beginning;
    };
    for (const auto& [schema, beginning] : {
             Row{R"({"properties":{"a":{"prefixItems":[{}]}}})",
                 "/properties/a/prefixItems: can not be enforced"},
             Row{R"({"unevaluatedProperties":false})", "/unevaluatedProperties: can not be enforced"},
             Row{R"({"dependentRequired":{}})", "/dependentRequired: can not be enforced"},
             Row{R"({"contains":{},"minContains":2})", "/minContains: can not be enforced"},
             Row{R"({"type":"string","nullable":true})", "/nullable: can not be enforced"},
             Row{R"--({"not":{"pattern":"(?=a)"}})--", "/not/pattern: can not be used as a pattern"},
             Row{"{\"patternProperties\":{\"(a)\\\\1\":{}}}",
                 "/patternProperties/(a)\\1: can not be used as a pattern"},
             Row{R"({"definitions":{"a":{"$id":"b"}}})", "/definitions/a/$id: can not be enforced"},
             Row{R"({"$ref":"#/definitions/none"})", "/$ref: must be # or #/"},
             Row{R"({"$ref":"#name"})", "/$ref: must be # or #/"},
             Row{R"({"x":5,"$ref":"#/x"})", "/$ref: must lead to a schema"},
             Row{R"({"x":{"type":5},"allOf":[{"$ref":"#/x"}]})", "/x/type: must be"},
             Row{R"({"$schema":"https://json-schema.org/draft/2020-12/schema","type":5})", "/$schema: "},
             Row{R"({"$schema":5})", "/$schema: "},
             Row{R"({"$schema":"http://json-schema.org/draft-04/schema#","const":5})",
                 "/const: can not be enforced"},
         }) {
        INFO(schema);
        CHECK(why_not_stored(schema).empty());
        CHECK_THAT(why_not_enforced(schema), posthorn::test::contains(beginning));
    }
}

TEST_CASE("drafts 4 and 6 are enforced where $schema says so") {
    const std::string draft_04 =
        R"({"$schema":"http://json-schema.org/draft-04/schema#","id":"x","minimum":1,)"
        R"("exclusiveMinimum":true})";
    CHECK(violations(draft_04, "1") == ": must be more than 1");
    CHECK(violations(draft_04, "1.5").empty());
    CHECK(why_not_stored(R"({"$schema":"http://json-schema.org/draft-04/schema#","required":[]})") != "");
    CHECK(violations(R"({"$schema":"http://json-schema.org/draft-06/schema","const":1})", "2") != "");
    CHECK(violations(R"({"$schema":"https://json-schema.org/draft-07/schema#","const":1})", "2") != "");
}

TEST_CASE("a schema that refers to itself must go into the value") {
    for (const std::string schema :
         {R"({"$ref":"#"})", R"({"allOf":[{"$ref":"#"}]})", R"({"not":{"anyOf":[{"$ref":"#"}]}})",
          R"({"definitions":{"a":{"$ref":"#/definitions/b"},"b":{"if":{"$ref":"#/definitions/a"}}}})",
          R"({"dependencies":{"x":{"$ref":"#"}}})"}) {
        INFO(schema);
        CHECK_THAT(why_not_enforced(schema), posthorn::test::contains("refers to itself"));
    }
    CHECK(why_not_enforced(R"({"items":{"$ref":"#"},"additionalProperties":{"$ref":"#"}})").empty());
}

TEST_CASE("a schema's size is limited") {
    const auto many = [](std::size_t schemas) {
        std::string all = R"({"properties":{)";
        for (std::size_t i = 0; i < schemas - 1; ++i)
            all += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":{}";
        return all + "}}";
    };
    CHECK(why_not_enforced(many(JsonSchema::most_subschemas)).empty());
    CHECK_THAT(why_not_enforced(many(JsonSchema::most_subschemas + 1)),
               posthorn::test::contains("at most 5000 schemas"));
    const auto patterns = [](std::size_t count) {
        std::string all = R"({"allOf":[)";
        for (std::size_t i = 0; i < count; ++i) all += std::string(i == 0 ? "" : ",") + R"({"pattern":"a"})";
        return all + "]}";
    };
    CHECK(why_not_enforced(patterns(JsonSchema::most_patterns)).empty());
    CHECK_THAT(why_not_enforced(patterns(JsonSchema::most_patterns + 1)),
               posthorn::test::contains("at most 100 patterns"));
}

TEST_CASE("no value keeps a check busy for long, or overflows its stack") {
    const std::string too_much = ": is too large, or its schema too intricate, to be checked";
    // 2^40 evaluations.
    std::string doubling = R"({"definitions":{"d40":{"minimum":0})";
    for (int i = 0; i < 40; ++i) {
        const auto next = R"({"$ref":"#/definitions/d)" + std::to_string(i + 1) + "\"}";
        doubling += ",\"d" + std::to_string(i) + R"(":{"allOf":[)" + next + "," + next + "]}";
    }
    CHECK(violations(doubling + R"(},"$ref":"#/definitions/d0"})", "1") == too_much);
    // Patterns whose states are many, on a long text.
    const auto random_text = [] {
        std::string text = "\"";
        unsigned state = 1;
        for (int i = 0; i < 1024 * 1024; ++i)
            text += ((state = state * 1664525U + 1013904223U) >> 31U) != 0 ? 'a' : 'b';
        return text + "\"";
    }();
    CHECK(violations(R"--({"pattern":"(a|b)*a(a|b){400}c"})--", random_text) == too_much);
    std::string patterns = R"({"items":{"anyOf":[)";
    for (int i = 0; i < 90; ++i)
        patterns += (i == 0 ? "" : ",") + (R"--({"pattern":"(a|b)*a(a|b){)--" + std::to_string(400 + i)) +
                    R"--(}c"})--";
    json::array texts(100,
                      json::value(json::string(json::parse(random_text).as_string().subview(0, 20'000))));
    CHECK(violations(compiled(patterns + "]}}"), texts) == too_much);
    // A text that is compared with many.
    std::string choices = R"({"items":{"enum":[)";
    for (int i = 0; i < 20'000; ++i) choices += (i == 0 ? "" : ",") + std::to_string(i);
    std::string numbers = "[-1";
    for (int i = 0; i < 20'000; ++i) numbers += ",-1";
    CHECK(violations(choices + "]}}", numbers + "]") == too_much);
}

TEST_CASE("a schema and a value that are both deep are cut off in time") {
    const auto parsed = [](std::string inner, const std::string& before, const std::string& after,
                           int levels) {
        for (int i = 0; i < levels; ++i) inner = before + inner + after;
        json::parse_options options;
        options.max_depth = 1000;
        return json::parse(inner, {}, options);
    };
    // 18 schemas for each level of the value, whose deepest levels the limit cuts off.
    const auto schema = parsed(R"({"items":{"$ref":"#"}})", R"({"allOf":[)", "]}", 16);
    const auto compiled = std::get<JsonSchema>(JsonSchema::compile(schema.as_object()));
    const int deepest = static_cast<int>(JsonSchema::deepest) / 18 - 1;  // the value itself is one more
    CHECK(violations(compiled, parsed("1", "[", "]", deepest)).empty());
    CHECK(violations(compiled, parsed("1", "[", "]", deepest + 1)) != "");
}

TEST_CASE("a large array without repetitions is found to have none") {
    json::array items;
    for (int i = 0; i < 100'000; ++i) items.push_back(json::object{{"id", i}});
    const auto schema = compiled(R"({"uniqueItems":true})");
    CHECK(violations(schema, items).empty());
    items.push_back(json::object{{"id", 7.0}});
    CHECK(violations(schema, items) == ": must not hold an item twice: 7 and 100000 are equal");
}

TEST_CASE("a report is short: ten violations, long names and values cut") {
    json::array items(1000);
    CHECK(compiled(R"({"items":{"type":"string"}})").validate(items).size() == JsonSchema::most_violations);
    json::object object{{std::string(100'000, 'a'), 1}};
    const auto found = compiled(R"({"additionalProperties":false})").validate(object);
    REQUIRE(found.size() == 1);
    CHECK(found[0].path.at(0).size() < 200);
    const auto long_constant = compiled(R"({"const":")" + std::string(100'000, 'b') + "\"}").validate(1);
    CHECK(long_constant.at(0).rule.size() < 200);
}
