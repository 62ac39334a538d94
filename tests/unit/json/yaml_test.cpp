#include "json/yaml.hpp"

#include <boost/json.hpp>

#include "support/catch.hpp"

using posthorn::json::parse_yaml;
namespace json = boost::json;

namespace {

constexpr posthorn::json::YamlLimits limits{.depth = 8, .values = 1000};

std::string as_json(const std::string& yaml) {
    const auto parsed = parse_yaml(yaml, limits);
    const auto* value = std::get_if<json::value>(&parsed);
    return value == nullptr ? "wrong: " + std::get<std::string>(parsed) : json::serialize(*value);
}

}  // namespace

TEST_CASE("YAML is read as the JSON that it means") {
    struct Row {
        std::string yaml, wanted;
    };
    for (const auto& [yaml, wanted] : {
             Row{"a: 1\nb: [x, 'y', \"z\"]\n", R"({"a":1,"b":["x","y","z"]})"},
             Row{"[~, null, true, False, no, 1.5, -3, 0x10, 0o10, 010, '1', 1.0.0, 1e3, .5]",
                 R"([null,null,true,false,"no",1.5E0,-3,16,8,10,"1","1.0.0",1E3,5E-1])"},
             Row{"200: ok\ntrue: x\n", R"({"200":"ok","true":"x"})"},
             Row{"a: |\n  one\n  two\nb: >\n  one\n  two\n", R"({"a":"one\ntwo\n","b":"one two\n"})"},
             Row{"a: &x {n: 1}\nb: *x\n", R"({"a":{"n":1},"b":{"n":1}})"},
             Row{"a: !!str 5\n", R"({"a":"5"})"},
             Row{"{\"a\": 18446744073709551615}", R"({"a":18446744073709551615})"},
             Row{"a:\n", R"({"a":null})"},
         }) {
        INFO(yaml);
        CHECK(as_json(yaml) == wanted);
    }
}

TEST_CASE("what is no YAML, or more than is taken, is refused with the line") {
    for (const std::string bad :
         {"", "a: [", "a: 1\na: 2", "a: *x", "a: !!binary aGk=", "a: !x 1", "a: &x {b: 1}\nc: {<<: *x}",
          "[a]: 1", "a\n---\nb", "\"a", "\t- a", "a: b: c", "\xFF"}) {
        INFO(bad);
        CHECK_THAT(as_json(bad), posthorn::test::contains("wrong: "));
    }
    CHECK_THAT(as_json("a: 1\na: 2"), posthorn::test::contains("line 2"));
}

TEST_CASE("depth, values, and what aliases repeat are limited") {
    CHECK(as_json(std::string(8, '[') + std::string(8, ']')) == "[[[[[[[[]]]]]]]]");
    CHECK_THAT(as_json(std::string(9, '[') + std::string(9, ']')),
               posthorn::test::contains("at most 8 levels"));
    CHECK_THAT(as_json(std::string(100'000, '[')), posthorn::test::contains("wrong: "));
    std::string many = "[1";
    for (int i = 0; i < 1000; ++i) many += ",1";
    CHECK_THAT(as_json(many + "]"), posthorn::test::contains("at most 1000 values"));
    CHECK_THAT(as_json("- " + std::string(100'000, 'a')), posthorn::test::contains("at most 1000 values"));
    std::string laughs = "a: &a [x, x, x, x, x, x, x, x]\n";
    for (char name = 'b'; name < 'h'; ++name) {
        laughs += std::string{name, ':', ' ', '&', name, ' ', '['};
        for (int i = 0; i < 8; ++i)
            laughs += std::string{'*', static_cast<char>(name - 1), i == 7 ? ']' : ','};
        laughs += "\n";
    }
    CHECK_THAT(as_json(laughs), posthorn::test::contains("with those that aliases repeat"));
}
