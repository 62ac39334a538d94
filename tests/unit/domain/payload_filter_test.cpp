#include "domain/payload_filter.hpp"

#include <boost/json.hpp>

#include "support/catch.hpp"

using posthorn::domain::FilterError;
using posthorn::domain::PayloadFilter;
namespace json = boost::json;

namespace {

PayloadFilter filter(const std::string& text) {
    auto parsed = PayloadFilter::parse(json::parse(text).as_object());
    if (const auto* error = std::get_if<FilterError>(&parsed)) throw std::runtime_error(error->rule);
    return std::get<PayloadFilter>(std::move(parsed));
}

bool matches(const std::string& pattern, const std::string& payload) {
    return filter(pattern).matches(payload);
}

// Where the error is, e.g. "a/b/0"; "ok" if there is none.
std::string place(const std::string& text) {
    const auto parsed = PayloadFilter::parse(json::parse(text).as_object());
    const auto* error = std::get_if<FilterError>(&parsed);
    if (error == nullptr) return "ok";
    CHECK_FALSE(error->rule.empty());
    std::string all;
    for (const auto& step : error->pointer) all += (all.empty() ? "" : "/") + step;
    return all;
}

std::string one(const std::string& condition) { return R"({"a":[)" + condition + "]}"; }
std::string with(const std::string& value) { return R"({"a":)" + value + ",\"z\":1}"; }

}  // namespace

TEST_CASE("a value matches what equals it, in kind and in number") {
    CHECK(matches(one(R"("x")"), with(R"("x")")));
    CHECK_FALSE(matches(one(R"("x")"), with(R"("X")")));
    CHECK_FALSE(matches(one(R"("1")"), with("1")));
    CHECK(matches(one("10.5"), with("10.50")));
    CHECK(matches(one("10"), with("1e1")));
    CHECK(matches(one("9007199254740993"), with("9007199254740993")));
    CHECK_FALSE(matches(one("9007199254740993"), with("9007199254740992")));
    CHECK(matches(one("18446744073709551615"), with("18446744073709551615")));
    CHECK_FALSE(matches(one("-1"), with("18446744073709551615")));
    CHECK(matches(one("true"), with("true")));
    CHECK_FALSE(matches(one("true"), with("1")));
    CHECK(matches(one("null"), with("null")));
    CHECK_FALSE(matches(one("null"), R"({"z":1})"));
    CHECK(matches(one(R"("x","y")"), with(R"("y")")));
    CHECK(matches(one(R"("\u00e4")"), with("\"\xC3\xA4\"")));
}

TEST_CASE("conditions on texts") {
    CHECK(matches(one(R"({"prefix":"ab"})"), with(R"("abc")")));
    CHECK_FALSE(matches(one(R"({"prefix":"ab"})"), with(R"("a")")));
    CHECK_FALSE(matches(one(R"({"prefix":"1"})"), with("12")));
    CHECK(matches(one(R"({"suffix":".png"})"), with(R"("x.png")")));
    CHECK_FALSE(matches(one(R"({"suffix":".png"})"), with(R"("x.PNG")")));
    CHECK(matches(one(R"({"suffix":{"equals-ignore-case":".png"}})"), with(R"("x.PNG")")));
    CHECK(matches(one(R"({"prefix":{"equals-ignore-case":"AB"}})"), with(R"("abc")")));
    CHECK(matches(one(R"({"equals-ignore-case":"aBc"})"), with(R"("AbC")")));
    CHECK_FALSE(matches(one(R"({"equals-ignore-case":"abc"})"), with(R"("abcd")")));
    CHECK(matches(one(R"({"wildcard":"a*c*"})"), with(R"("abcd")")));
    CHECK(matches(one(R"({"wildcard":"*"})"), with(R"("")")));
    CHECK(matches(one(R"({"wildcard":"a**b"})"), with(R"("a-b")")));
    CHECK_FALSE(matches(one(R"({"wildcard":"a*c"})"), with(R"("abcd")")));
    CHECK_FALSE(matches(one(R"({"wildcard":"a"})"), with(R"("")")));
    CHECK_FALSE(matches(one(R"({"wildcard":"ab*b"})"), with(R"("ab")")));
    CHECK(matches(one(R"({"wildcard":"*aab*aab"})"), with(R"("aaabaab")")));
    CHECK(matches(one(R"({"wildcard":"\\**"})"), with(R"("*x")")));
    CHECK_FALSE(matches(one(R"({"wildcard":"\\**"})"), with(R"("x*")")));
    CHECK(matches(one(R"({"wildcard":"a\\\\*"})"), with(R"("a\\b")")));
}

TEST_CASE("a hostile wildcard takes no more time than the text is long") {
    std::string pattern;
    for (int i = 0; i < 100; ++i) pattern += "*a";
    CHECK_FALSE(
        matches(one(R"({"wildcard":")" + pattern + "*b\"}"), with('"' + std::string(1'000'000, 'a') + '"')));
}

TEST_CASE("conditions on numbers") {
    CHECK(matches(one(R"({"numeric":[">",0,"<=",5]})"), with("5")));
    CHECK_FALSE(matches(one(R"({"numeric":[">",0,"<=",5]})"), with("0")));
    CHECK_FALSE(matches(one(R"({"numeric":[">",0,"<=",5]})"), with("5.01")));
    CHECK(matches(one(R"({"numeric":["=",3]})"), with("3.0")));
    CHECK(matches(one(R"({"numeric":[">=",3]})"), with("3")));
    CHECK(matches(one(R"({"numeric":["<",3]})"), with("-9")));
    CHECK_FALSE(matches(one(R"({"numeric":["<",3]})"), with(R"("1")")));
    CHECK(matches(one("0.1"), with("0.1")));
    CHECK(matches(one("123.456e-7"), with("0.0000123456")));
    CHECK_FALSE(matches(one("9007199254740993"), with("9007199254740992")));
    CHECK_FALSE(matches(one(R"({"numeric":[">",9007199254740992]})"), with("9007199254740992")));
    CHECK(matches(one(R"({"numeric":[">",9007199254740992]})"), with("9007199254740993")));
    CHECK(matches(one(R"({"numeric":[">",1]})"), with("1e400")));
}

TEST_CASE("anything but") {
    CHECK(matches(one(R"({"anything-but":"x"})"), with(R"("y")")));
    CHECK_FALSE(matches(one(R"({"anything-but":"x"})"), with(R"("x")")));
    CHECK_FALSE(matches(one(R"({"anything-but":["x",1]})"), with("1")));
    CHECK(matches(one(R"({"anything-but":["x",1]})"), with("2")));
    CHECK_FALSE(matches(one(R"({"anything-but":"x"})"), R"({"z":1})"));
    CHECK_FALSE(matches(one(R"({"anything-but":{"prefix":"a"}})"), with(R"("ab")")));
    CHECK(matches(one(R"({"anything-but":{"suffix":["a","b"]}})"), with(R"("abc")")));
    CHECK_FALSE(matches(one(R"({"anything-but":{"suffix":["a","b"]}})"), with(R"("ab")")));
    CHECK_FALSE(matches(one(R"({"anything-but":{"wildcard":"*lib*"}})"), with(R"("x/lib/y")")));
    CHECK_FALSE(matches(one(R"({"anything-but":{"equals-ignore-case":"A"}})"), with(R"("a")")));
}

TEST_CASE("exists asks for the field alone") {
    CHECK(matches(one(R"({"exists":true})"), with("null")));
    CHECK(matches(one(R"({"exists":true})"), with("{}")));
    CHECK_FALSE(matches(one(R"({"exists":true})"), R"({"z":1})"));
    CHECK(matches(one(R"({"exists":false})"), R"({"z":1})"));
    CHECK_FALSE(matches(one(R"({"exists":false})"), with("0")));
    CHECK(matches(one(R"({"exists":false},"x")"), with(R"("x")")));
    CHECK(matches(R"({"a":{"b":[{"exists":false}]}})", R"({"z":1})"));
    CHECK(matches(R"({"a":{"b":[{"exists":false}]}})", R"({"a":5})"));
}

TEST_CASE("networks") {
    CHECK(matches(one(R"({"cidr":"10.0.0.0/24"})"), with(R"("10.0.0.255")")));
    CHECK_FALSE(matches(one(R"({"cidr":"10.0.0.0/24"})"), with(R"("10.0.1.0")")));
    CHECK(matches(one(R"({"cidr":"2001:db8::/32"})"), with(R"("2001:db8::1")")));
    CHECK_FALSE(matches(one(R"({"cidr":"10.0.0.0/24"})"), with(R"("here")")));
    CHECK_FALSE(matches(one(R"({"cidr":"10.0.0.0/8"})"), with(R"("10.0.0.1\u0000evil")")));
    CHECK_FALSE(matches(one(R"({"cidr":"fe80::/10"})"), with(R"("fe80::1%1")")));
    CHECK_FALSE(matches(one(R"({"cidr":"::/0"})"), with('"' + std::string(46, '1') + '"')));
    CHECK(matches(one(R"({"cidr":"::/0"})"), with(R"("abcd:abcd:abcd:abcd:abcd:abcd:192.168.158.190")")));
}

TEST_CASE("all fields must match, nested ones too") {
    const std::string pattern = R"({"a":{"b":["x"],"c":{"d":[1]}},"e":[true]})";
    CHECK(matches(pattern, R"({"a":{"b":"x","c":{"d":1,"f":0}},"e":true})"));
    CHECK_FALSE(matches(pattern, R"({"a":{"b":"x","c":{"d":2}},"e":true})"));
    CHECK_FALSE(matches(pattern, R"({"a":{"b":"x","c":{"d":1}}})"));
    CHECK_FALSE(matches(pattern, R"({"a":"x","e":true})"));
}

TEST_CASE("of an array one element must match, and one object as a whole") {
    CHECK(matches(one(R"("x")"), with(R"(["y","x"])")));
    CHECK(matches(one(R"("x")"), with(R"([["y"],["x"]])")));
    CHECK_FALSE(matches(one(R"("x")"), with(R"(["y"])")));
    CHECK_FALSE(matches(one(R"({"exists":true})"), with("[]")));
    CHECK(matches(one(R"({"exists":false})"), with("[]")));
    const std::string both = R"({"items":{"kind":["book"],"price":[{"numeric":[">",10]}]}})";
    CHECK(matches(both, R"({"items":[{"kind":"pen","price":1},{"kind":"book","price":11}]})"));
    CHECK_FALSE(matches(both, R"({"items":[{"kind":"pen","price":11},{"kind":"book","price":1}]})"));
}

TEST_CASE("$or takes one of several patterns, beside the other fields") {
    const std::string pattern = R"({"z":[1],"$or":[{"a":["x"]},{"b":{"c":[2]}}]})";
    CHECK(matches(pattern, R"({"z":1,"a":"x"})"));
    CHECK(matches(pattern, R"({"z":1,"b":{"c":2}})"));
    CHECK_FALSE(matches(pattern, R"({"z":1,"a":"y"})"));
    CHECK_FALSE(matches(pattern, R"({"z":2,"a":"x"})"));
}

TEST_CASE("of a name that comes twice in a payload the last one counts") {
    CHECK(matches(one("2"), R"({"a":1,"a":2})"));
    CHECK_FALSE(matches(one("1"), R"({"a":1,"a":2})"));
}

TEST_CASE("numbers of any size elsewhere do no harm, and what can't be read does not match") {
    CHECK(matches(one("1"), R"({"a":1,"n":123456789012345678901234567890})"));
    CHECK_FALSE(matches(one("1"), R"({"a":1,"t":"\ud800"})"));
    CHECK_FALSE(matches(one(R"({"anything-but":"x"})"), "no JSON"));
}

TEST_CASE("what is wrong with a filter is told with its place") {
    CHECK(place("{}") == "");
    CHECK(place(R"({"a":"x"})") == "a");
    CHECK(place(R"({"a":[]})") == "a");
    CHECK(place(R"({"a":{}})") == "a");
    CHECK(place(R"({"a":[["x"]]})") == "a/0");
    CHECK(place(R"({"a":["x",{"like":"y"}]})") == "a/1/like");
    CHECK(place(R"({"a":[{"prefix":"x","suffix":"y"}]})") == "a/0");
    CHECK(place(R"({"a":[{"prefix":1}]})") == "a/0/prefix");
    CHECK(place(R"({"a":[{"prefix":{"equals-ignore-case":1}}]})") == "a/0/prefix/equals-ignore-case");
    CHECK(place(R"({"a":[{"exists":"yes"}]})") == "a/0/exists");
    CHECK(place(R"({"a":[{"numeric":["<"]}]})") == "a/0/numeric");
    CHECK(place(R"({"a":[{"numeric":["<>",1]}]})") == "a/0/numeric/0");
    CHECK(place(R"({"a":[{"numeric":["<","1"]}]})") == "a/0/numeric/1");
    CHECK(place(R"({"a":[{"numeric":["<",1e400]}]})") == "a/0/numeric/1");
    CHECK(place(R"({"a":[{"wildcard":"a\\b"}]})") == "a/0/wildcard");
    CHECK(place(R"({"a":[{"wildcard":"a\\"}]})") == "a/0/wildcard");
    CHECK(place(R"({"a":[{"cidr":"10.0.0.0/8\u0000"}]})") == "a/0/cidr");
    CHECK(place(R"({"a":[{"cidr":"10.0.0.0/33"}]})") == "a/0/cidr");
    CHECK(place(R"({"a":[{"cidr":"10.0.0.0/8,11.0.0.0/8"}]})") == "a/0/cidr");
    CHECK(place(R"({"a":[{"anything-but":[]}]})") == "a/0/anything-but");
    CHECK(place(R"({"a":[{"anything-but":[{}]}]})") == "a/0/anything-but/0");
    CHECK(place(R"({"a":[{"anything-but":{"numeric":["=",1]}}]})") == "a/0/anything-but/numeric/0");
    CHECK(place(R"({"$or":[{"a":[1]}]})") == "$or");
    CHECK(place(R"({"$or":[{"a":[1]},2]})") == "$or/1");
    CHECK(place(R"({"b":{"$or":[{"a":[1]},{"a":[{"x":1}]}]}})") == "b/$or/1/a/0/x");
}

TEST_CASE("a filter's size is bounded") {
    std::string deep = "[1]", many = "1";
    for (int i = 0; i < 12; ++i) deep = R"({"a":)" + deep + "}";
    CHECK(place(deep) == "ok");
    CHECK(place(R"({"a":)" + deep + "}") == "a/a/a/a/a/a/a/a/a/a/a/a");
    for (int i = 0; i < 198; ++i) many += ",1";
    CHECK(place(one(many)) == "ok");
    CHECK(place(one(many + ",1")) == "a/199");
    CHECK(place(one('"' + std::string(256, 'x') + '"')) == "ok");
    CHECK(place(one('"' + std::string(257, 'x') + '"')) == "a/0");
}
