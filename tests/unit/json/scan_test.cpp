#include "json/scan.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/random.hpp"
#include "support/catch.hpp"

using posthorn::Random;
using posthorn::json::scan_object;
using posthorn::test::contains;

namespace {

constexpr int deepest = 65;

bool accepts(std::string_view text) { return !scan_object(text, deepest).error; }

// Another implementation's opinion. It also refuses lone surrogates, which are an encoding's matter, not
// JSON's.
bool boost_accepts(const std::string& text) {
    boost::json::parse_options options;
    options.max_depth = 1000;
    boost::system::error_code error;
    const auto value = boost::json::parse(text, error, {}, options);
    return !error && value.is_object();
}

std::string nested(int levels) {
    std::string text = "{\"a\":";
    for (int i = 1; i < levels; ++i) text += '[';
    if (levels == 1) text += '0';
    for (int i = 1; i < levels; ++i) text += ']';
    return text + "}";
}

}  // namespace

TEST_CASE("members are found with their bytes as written") {
    const std::string text =
        " {\"a\" : {\"z\":10.50, \"a\":1} ,\"b\\u0061\":[1,\t2 ],\n\"n\":-0.0e+5,\"s\":\"\\u0000\\\"\"}\n";
    const auto scan = scan_object(text, deepest);
    REQUIRE(!scan.error);
    REQUIRE(scan.members.size() == 4);
    CHECK(scan.members[0].key == "a");
    CHECK(scan.members[0].value == "{\"z\":10.50, \"a\":1}");
    CHECK(scan.members[1].key == "b\\u0061");
    CHECK(scan.members[1].value == "[1,\t2 ]");
    CHECK(scan.members[2].value == "-0.0e+5");
    CHECK(scan.members[3].value == "\"\\u0000\\\"\"");
}

TEST_CASE("valid objects are accepted whatever their numbers and escapes") {
    const auto* text =
        GENERATE("{}", " { } ", "{\"\":null}", "{\"a\":1,\"a\":2}", "{\"a\":123456789012345678901234567890}",
                 "{\"a\":1e400}", "{\"a\":-0}", "{\"a\":0.10}", "{\"a\":1E-2}", "{\"a\":\"\\ud800\"}",
                 "{\"a\":\"\\/\\b\\f\\n\\r\\t\\\\\"}", "{\"a\":[[],{},true,false,null,\"\"]}",
                 "{\"a\":\"\x7F\"}", "{\"\xC3\xA4\":\"\xF0\x9F\x93\xAF\"}");
    INFO(text);
    CHECK(accepts(text));
}

TEST_CASE("anything that is not exactly one JSON object is refused") {
    const auto text = GENERATE(
        as<std::string>{}, "", " ", "[]", "1", "\"a\"", "null", "{", "}", "{]", "{\"a\"}", "{\"a\":}",
        "{\"a\":1,}", "{,}", "{a:1}", "{'a':1}", "{\"a\":1}x", "{\"a\":1}{}", "{\"a\":01}", "{\"a\":+1}",
        "{\"a\":1.}", "{\"a\":.5}", "{\"a\":1e}", "{\"a\":-}", "{\"a\":0x10}", "{\"a\":NaN}", "{\"a\":tru}",
        "{\"a\":TRUE}", "{\"a\":[1,]}", "{\"a\":[1 2]}", "{\"a\":[}", "{\"a\" 1}", "{\"a\":\"}",
        "{\"a\":\"\\x\"}", "{\"a\":\"\\u12g4\"}", "{\"a\":\"\\u12\"}", "{\"a\":\"\n\"}", "{\"a\":\"\t\"}",
        "{\"a\":1 /* c */}", "\xEF\xBB\xBF{}", "{\"a\":\"\xFF\"}", "{\"a\":\"\xC0\x80\"}",
        "{\"a\":\"\xED\xA0\x80\"}", "{\"a\":\"\\", "{\"a\":1\xC2\xA0}", "{\"a\":truefalse}", "{\"a\":1\v}");
    INFO(text);
    CHECK_FALSE(accepts(text));
}

TEST_CASE("a raw NUL byte is refused wherever it stands") {
    for (const std::size_t at : {0u, 1u, 3u, 6u, 7u, 8u, 9u}) {
        std::string text = "{\"a\":\"b\"}";
        text.insert(at, 1, '\0');
        INFO(at);
        CHECK_FALSE(accepts(text));
    }
}

TEST_CASE("nesting is refused beyond the limit, however deep") {
    CHECK(accepts(nested(deepest)));
    CHECK_FALSE(accepts(nested(deepest + 1)));
    CHECK_FALSE(accepts(std::string(1'000'000, '[')));
    CHECK_FALSE(accepts("{\"a\":" + std::string(1'000'000, '[')));
    std::string objects;
    for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
    CHECK_FALSE(accepts(objects));
    CHECK_THAT(*scan_object(nested(deepest + 1), deepest).error, contains("too deep"));
}

TEST_CASE("an error says where it is") {
    CHECK_THAT(*scan_object("{\"a\":x}", deepest).error, contains("byte 5"));
}

TEST_CASE("broken and whole texts are judged as another parser judges them") {
    static constexpr std::string_view alphabet = "{}[]\",:\\u0a1e+-.tnf \n\x01\x80\xC3";
    const std::vector<std::string> seeds{"{\"a\":[1,-2.5e3,true,null],\"b\":{\"c\":\"x\\u00e4\\n\"}}",
                                         "{\"key\":\"value\",\"n\":0}", "{\"a\":{\"b\":[[],[{}]]}}"};
    Random random(20'260'801);
    int valid = 0;
    for (int round = 0; round < 200'000; ++round) {
        auto text = seeds[random.next() % seeds.size()];
        for (auto changes = random.next() % 3; changes-- > 0;) {
            const auto at = random.next() % text.size();
            const char c = alphabet[random.next() % alphabet.size()];
            switch (random.next() % 3) {
                case 0:
                    text[at] = c;
                    break;
                case 1:
                    text.insert(at, 1, c);
                    break;
                default:
                    text.erase(at, 1);
            }
        }
        const bool accepted = accepts(text);
        valid += accepted ? 1 : 0;
        if (accepted == boost_accepts(text)) continue;
        INFO(text);
        REQUIRE(accepted == boost_accepts(text));
    }
    CHECK(valid > 10'000);
}
