#include "hostile_input.hpp"

#include <string_view>
#include <vector>

namespace posthorn::test {

namespace {

using Texts = std::vector<std::string>;
using namespace std::string_literals;

std::string nested(std::size_t levels, bool objects) {
    std::string text;
    for (std::size_t i = 0; i < levels; ++i) text += objects ? "{\"a\":" : "[";
    text += "1";
    return text + std::string(levels, objects ? '}' : ']');
}

std::string quoted_run(std::size_t length, std::string_view of = "x") {
    std::string text = "\"";
    for (std::size_t i = 0; i < length; ++i) text += of;
    return text + "\"";
}

const Texts& numbers() {
    static const Texts list{"0",
                            "-1",
                            "-0",
                            "0.5",
                            "1.0",
                            "1e2",
                            "1e400",
                            "-1e400",
                            "1e-400",
                            "1E+2",
                            "2147483648",
                            "-2147483649",
                            "9223372036854775807",
                            "9223372036854775808",
                            "-9223372036854775809",
                            "18446744073709551615",
                            "18446744073709551616",
                            "99999999999999999999999999999999",
                            "1e99999999999999999999",
                            "0.1e-99999999999",
                            "NaN",
                            "-Infinity",
                            "01",
                            "+1",
                            ".5",
                            "1.",
                            "0x10",
                            "1e",
                            "--1",
                            "253402300800",
                            "1" + std::string(400, '0')};
    return list;
}

const Texts& strings() {
    static const Texts list{R"("")",
                            R"("\u0000")",
                            R"("a\u0000b")",
                            R"("\ud800")",
                            R"("\udc00\ud800")",
                            R"("\ud83d\udcef")",
                            R"("\x")",
                            R"("\u12")",
                            R"("\uZZZZ")",
                            "\"\0\""s,
                            "\"\x01\"",
                            "\"a\nb\"",
                            "\"\xFF\xFE\"",
                            "\"\xC0\x80\"",
                            "\"\xED\xA0\x80\"",
                            "\"\xF4\x90\x80\x80\"",
                            "\"\xE2\x82\"",
                            "\"\xE2\x80\xAE"
                            "abc\"",
                            "\"e\xCC\x81\"",
                            "\"\xEF\xBB\xBFx\"",
                            R"("%00")",
                            R"("../../etc/passwd")",
                            R"("a,b")",
                            "\"$(id)\"",
                            R"("'\"\\")",
                            R"(" ")",
                            R"("\t")",
                            R"("null")",
                            R"("true")",
                            R"("-")",
                            R"("app_00000000000000000000000000")",
                            R"("ep_7zzzzzzzzzzzzzzzzzzzzzzzzz")",
                            R"("msg_8zzzzzzzzzzzzzzzzzzzzzzzzz")",
                            quoted_run(129),
                            quoted_run(257),
                            quoted_run(300, "\xC3\xA4"),
                            quoted_run(4'097),
                            quoted_run(20'000, "\xF0\x9F\x93\xAF"),
                            quoted_run(100'000)};
    return list;
}

const Texts& times() {
    static const Texts list{R"("0000-01-01T00:00:00Z")",
                            R"("0001-01-01T00:00:00Z")",
                            R"("1969-12-31T23:59:59.999999Z")",
                            R"("1970-01-01T00:00:00Z")",
                            R"("1970-01-01T00:00:00+00:01")",
                            R"("9999-12-31T23:59:59.999999999Z")",
                            R"("9999-12-31T23:59:60Z")",
                            R"("9999-12-31T23:59:59-23:59")",
                            R"("10000-01-01T00:00:00Z")",
                            R"("2016-12-31T23:59:60Z")",
                            R"("2016-12-31T12:00:60Z")",
                            R"("2026-02-30T00:00:00Z")",
                            R"("2026-01-01T24:00:00Z")",
                            R"("2026-01-01")",
                            R"("2026-01-01T00:00:00")",
                            R"("now")",
                            R"("2026-01-01t00:00:00.1234567890z")",
                            R"("-0001-01-01T00:00:00Z")",
                            R"("2026-01-01T00:00:00+23:59")",
                            R"("2026-01-01T00:00:00+24:00")",
                            R"("2262-04-11T23:47:17Z")",
                            R"("2038-01-19T03:14:08Z")",
                            R"("2200-01-01T00:00:00Z")"};
    return list;
}

const Texts& urls() {
    static const Texts list{R"("http://10.0.0.1/")",
                            R"("http://192.0.2.1/")",
                            R"("http://[::1]/")",
                            R"("http://[fe80::1%25eth0]/")",
                            R"("http://169.254.169.254/latest/")",
                            R"("http://0/")",
                            R"("http://0x7f.1/")",
                            R"("http://017700000001/")",
                            R"("http://2130706433/")",
                            R"("http://user:pw@127.0.0.1/")",
                            R"("http://127.0.0.1:0/")",
                            R"("http://127.0.0.1:65536/")",
                            R"("http://127.0.0.1:/")",
                            R"("http:///")",
                            R"("http://")",
                            R"("ftp://127.0.0.1/")",
                            R"("http://a..b.invalid/")",
                            R"("http://-.invalid/")",
                            R"("http://xn--a.invalid/")",
                            "\"http://\xC3\xA4.invalid/\"",
                            R"("http://127.0.0.1\\@x.invalid/")",
                            R"("http://127.0.0.1/\r\nX-Y: z")",
                            "\"javascript:alert(1)\"",
                            R"("//127.0.0.1/")",
                            R"("http://[::ffff:10.0.0.1]/")",
                            R"("http://127.0.0.1/%zz")",
                            R"("HTTPS://127.1:1/\u0000")",
                            R"("http://[")",
                            R"("http://x.invalid.:80/?#")",
                            "\"http://127.0.0.1:1/" + std::string(4'100, 'a') + "\"",
                            "\"http://" + std::string(64, 'a') + ".invalid/\"",
                            "\"http://" + std::string(2'100, 'a') + ".invalid/\""};
    return list;
}

const Texts& structures() {
    static const Texts list{"null",
                            "true",
                            "false",
                            "[]",
                            "{}",
                            "[[]]",
                            "[null]",
                            "{\"\":null}",
                            "[1,\"a\",null,{}]",
                            "[{},{}]",
                            R"({"$ref":"#"})",
                            R"({"__proto__":{}})",
                            R"({"$or":[]})",
                            R"({"a\u0000b":1})",
                            R"([{"numeric":[">",1e400]}])",
                            R"({"a":[{"wildcard":"\\"}]})",
                            R"({"a":1,"a":2})",
                            nested(31, true),
                            nested(33, true),
                            nested(64, false),
                            nested(65, true),
                            nested(1'000, false),
                            nested(50'000, false),
                            nested(20'000, true),
                            std::string(5'000, '['),
                            "",
                            "nul",
                            "True",
                            "'a'",
                            "undefined",
                            "/**/1",
                            "[1,]",
                            "{\"a\"}",
                            "{a:1}",
                            "{\"a\":1,}",
                            "\""};
    return list;
}

const Texts& member_names() {
    static const Texts list{R"("")",
                            R"("\u0000")",
                            R"("\ud800")",
                            R"("id")",
                            R"("__proto__")",
                            R"("$or")",
                            R"("organization")",
                            "\"\xFF\"",
                            R"("a b")",
                            R"("X-Header\r\nY")",
                            R"("Content-Length")",
                            R"("webhook-id")",
                            quoted_run(300),
                            quoted_run(5'000),
                            "1",
                            "null"};
    return list;
}

}  // namespace

std::string hostile_json(Dice& dice) {
    static const std::vector<const Texts*> kinds{&numbers(), &strings(), &strings(),
                                                 &times(),   &urls(),    &structures()};
    return dice.one_of(*dice.one_of(kinds));
}

void spoil(JsonDraft& draft, Dice& dice) {
    const auto nodes = all_nodes(draft);
    auto& node = *nodes[dice.below(nodes.size())];
    const auto way = dice.below(8);
    const auto value = JsonDraft::raw(hostile_json(dice));
    const auto name = dice.one_of(member_names());
    if (node.kind == JsonDraft::Kind::object && way < 5) {
        const auto at = node.members.empty() ? 0 : dice.below(node.members.size());
        if (way == 0 || node.members.empty())
            node.members.push_back({name, value});
        else if (way == 1)
            node.members.push_back(node.members[at]);
        else if (way == 2)
            node.members.push_back({node.members[at].name, value});
        else if (way == 3)
            node.members[at].name = name;
        else
            node.members[at].value = value;
        return;
    }
    if (node.kind == JsonDraft::Kind::array && way < 4) {
        if (way < 3)
            node.items.push_back(value);
        else if (!node.items.empty())
            node.items.resize(1'001, node.items.front());
        return;
    }
    node = value;
}

std::string spoiled_text(std::string text, Dice& dice) {
    const auto at = text.empty() ? 0 : dice.below(text.size());
    switch (dice.below(12)) {
        case 0:
            return {};
        case 1:
        case 2:
            return text.substr(0, at);
        case 3:
            return hostile_json(dice);
        case 4:
            return "\xEF\xBB\xBF" + text;
        case 5:
            return text + text;
        case 6:
            return text + "\0"s;
        case 7:
            return "[" + text + "]";
        case 8:
            return std::string(256, '\xFF');
        case 9:
            return "a=b&c=d";
        case 10:
            return " \t\r\n" + text + " \n";
        default:  // every second byte: UTF-16 without a mark
            for (auto i = text.size(); i > 0; --i) text.insert(i, 1, '\0');
            return text;
    }
}

std::string hostile_segment(Dice& dice) {
    static const Texts list{"",
                            ".",
                            "..",
                            "%2F",
                            "a%2Fb",
                            "%2e%2e",
                            "%00",
                            "a%00b",
                            "%FF",
                            "%C0%80",
                            "%",
                            "%2",
                            "%zz",
                            "%F0%9F%93%AF",
                            "%ED%A0%80",
                            "a+b",
                            "a;b=c",
                            "a%20b",
                            "*",
                            "{app_id}",
                            "null",
                            "0",
                            "-1",
                            "~",
                            "a:b@c",
                            "%25",
                            "%3F",
                            "\xC3\xA4",
                            "a b",
                            "a\tb",
                            "a#b",
                            "\x01",
                            "app_00000000000000000000000000",
                            "app_7zzzzzzzzzzzzzzzzzzzzzzzzz",
                            "app_8zzzzzzzzzzzzzzzzzzzzzzzzz",
                            "ep_0",
                            "msg_",
                            "MSG_01KB3X7M0YQZ5N8V2C4R6T9W1A",
                            "msg_01kb3x7m0yqz5n8v2c4r6t9w1a.ep_01kb3x7m0yqz5n8v2c4r6t9w1a",
                            "msg_01kb3x7m0yqz5n8v2c4r6t9w1a.",
                            ".",
                            "qtask_01kb3x7m0yqz5n8v2c4r6t9w1a",
                            "key_ilou",
                            "atmpt_01kb3x7m0yqz5n8v2c4r6t9w1a",
                            std::string(256, 'a'),
                            std::string(257, 'a'),
                            std::string(5'000, 'a'),
                            std::string(9'000, 'a'),
                            "'%20OR%201=1--",
                            "%0d%0aX:%20y"};
    return dice.one_of(list);
}

std::string hostile_query_value(Dice& dice) {
    static const Texts list{"",
                            "%",
                            "%zz",
                            "%00",
                            "%FF",
                            "+",
                            "%20",
                            "0",
                            "-1",
                            "251",
                            "99999999999999999999",
                            "1.5",
                            "1e3",
                            "0x1",
                            "true",
                            "TRUE",
                            "1",
                            "null",
                            "NaN",
                            "a,b,,c",
                            ",",
                            "%2C",
                            "a=b=c",
                            "%F0%9F%93%AF",
                            "[]",
                            "descending",
                            "-",
                            "--",
                            "-msg_01kb3x7m0yqz5n8v2c4r6t9w1a",
                            "msg_7zzzzzzzzzzzzzzzzzzzzzzzzz",
                            "app_8zzzzzzzzzzzzzzzzzzzzzzzzz",
                            "ep_01kb3x7m0yqz5n8v2c4r6t9w1a",
                            "msg_01kb3x7m0yqz5n8v2c4r6t9w1a.ep_01kb3x7m0yqz5n8v2c4r6t9w1a",
                            "0000-01-01T00:00:00Z",
                            "9999-12-31T23:59:59Z",
                            "1970-01-01T00:00:00Z",
                            "2016-12-31T23:59:60Z",
                            "2026-01-01T00:00:00+01:00",
                            "2026-01-01T00:00:00%2B01:00",
                            "-9223372036854775808",
                            "9223372036854775807",
                            "'%20OR%20''='",
                            std::string(301, 'a'),
                            std::string(4'000, 'b'),
                            std::string(9'000, 'c')};
    return dice.one_of(list);
}

std::string hostile_field(Dice& dice) {
    static const Texts list{"",
                            " ",
                            "a",
                            "\"quoted\"",
                            "a,b",
                            "*",
                            "W/\"x\"",
                            "\xC3\xA4",
                            "\xFF",
                            "a\x01"
                            "b",
                            "a\0b"s,
                            "a\tb",
                            "'; --",
                            "0",
                            "-1",
                            "null",
                            std::string(256, 'k'),
                            std::string(257, 'k'),
                            std::string(3'000, 'k'),
                            std::string(17'000, 'k'),
                            "application/xml",
                            "text/plain; charset=utf-16",
                            "multipart/form-data; boundary=x"};
    return dice.one_of(list);
}

std::string hostile_authorization(Dice& dice) {
    static const Texts list{
        "",
        "Bearer",
        "Bearer ",
        "Bearer  x",
        "bearer x.y.z",
        "Basic dXNlcjpwdw==",
        "Bearer \xFF",
        "Bearer ..",
        "Bearer a.b.c.d",
        "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJvcmdfMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAifQ.",
        "Bearer eyJhbGciOiJIUzI1NiJ9.e30.AAAA",
        "Bearer W10.W10.W10",
        "Bearer phk_",
        "Bearer phk_b2Zjb3Vyc2V0aGlzaXNub2tleWF0YWxsLWl0LWlzLWp1",
        "Bearer phk_" + std::string(5'000, 'a'),
        "Bearer " + std::string(4'097, 'a'),
        "Bearer " + std::string(2'000, '.'),
        "Bearer a\0b"s};
    return dice.one_of(list);
}

}  // namespace posthorn::test
