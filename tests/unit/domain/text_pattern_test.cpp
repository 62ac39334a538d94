#include "domain/text_pattern.hpp"

#include "support/catch.hpp"

using posthorn::domain::TextPattern;

namespace {

bool found(const std::string& pattern, const std::string& text) {
    const auto compiled = TextPattern::compile(pattern);
    if (const auto* error = std::get_if<std::string>(&compiled)) throw std::runtime_error(*error);
    return std::get<TextPattern>(compiled).is_found_in(text);
}

}  // namespace

TEST_CASE("a pattern is found anywhere, and reads ECMAScript's escapes") {
    struct Row {
        std::string pattern, text;
        bool wanted;
    };
    for (const auto& [pattern, text, wanted] : {
             Row{"b+", "abbc", true},
             Row{"^b+$", "abbc", false},
             Row{"^a$", "a\n", false},
             Row{"\\u00e4", "x\xC3\xA4", true},
             Row{"^[\\u00e0-\\u00ff]+$", "\xC3\xA4\xC3\xB6", true},
             Row{"\\\\u00e4", "\\u00e4", true},
             Row{"^\\cA$", "\x01", true},
             Row{"^\\s$", "\xC2\xA0", true},
             Row{"^[a\\s]+$", "a\xE2\x80\xA9", true},
             Row{"^\\S$", "\xC2\xA0", false},
             Row{"^[\\S]$", "\xC2\xA0", false},
             Row{"^[^\\S]$", "\xC2\xA0", true},
             Row{"^[\\S\\s]{1,200}$", "\n\xC2\xA0", true},
             Row{"^[\\b]$", "\b", true},
             Row{"^\\u{1F600}$", "\xF0\x9F\x98\x80", true},
             Row{"^\\ud83d\\ude00$", "\xF0\x9F\x98\x80", true},
             Row{"^[\\ud83d\\ude00-\\ud83d\\ude02]$", "\xF0\x9F\x98\x81", true},
             Row{"\\ud83d", "\xF0\x9F\x98\x80", false},
             Row{"^\\/x\\-$", "/x-", true},
             Row{"^.$", "\xF0\x9F\x98\x80", true},
             Row{"^[a-zA-Z0-9\\-_.]{1,256}$", std::string(256, 'a'), true},
             Row{"^[a-zA-Z0-9\\-_.]{1,256}$", std::string(257, 'a'), false},
             Row{std::string("a\0b", 3), std::string("a\0b", 3), true},
         }) {
        INFO(pattern << " in " << text);
        CHECK(found(pattern, text) == wanted);
    }
}

TEST_CASE("a pattern that can not work in linear time, or is too large, is refused") {
    for (const std::string pattern : {"(?=a)", "(?<!a)b", "(a)\\1", "(", "[", "*", "a{1001}", "(a{100}){100}",
                                      "\\", "(.{1,900}){1,900}", "\xFF"}) {
        INFO(pattern);
        CHECK(std::holds_alternative<std::string>(TextPattern::compile(pattern)));
    }
}

TEST_CASE("patterns that blow up elsewhere take linear time and no stack") {
    const std::string long_text(1024 * 1024, 'a');
    CHECK_FALSE(found("^(a+)+$", long_text + "b"));
    CHECK_FALSE(found("^(a|a)*$", long_text + "b"));
    CHECK_FALSE(found("(.*)*b", long_text));
    CHECK(found("^(a|b)*$", long_text));
}
