#include "domain/text_pattern.hpp"

#include <charconv>
#include <cstdint>
#include <fmt/format.h>
#include <optional>
#include <re2/re2.h>

namespace posthorn::domain {

namespace {

// ECMAScript's white space and all but it, as the content of a class: RE2's \s is ASCII's, without the line
// tabulation.
constexpr std::string_view white_space = R"(\s\x0b\x{2028}\x{2029}\x{feff}\p{Zs})";
constexpr std::string_view no_white_space =
    R"(\x00-\x08\x0e-\x1f\x21-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e})"
    R"(\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{fefe}\x{ff00}-\x{10ffff})";

constexpr std::size_t code_unit_bytes = 6;  // \u00e4

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Of UTF-16, where an escape for one is at the beginning of `rest`.
std::optional<std::uint32_t> code_unit(std::string_view rest) {
    if (!rest.starts_with("\\u") || rest.size() < code_unit_bytes) return std::nullopt;
    std::uint32_t unit = 0;
    const auto* end = rest.data() + code_unit_bytes;
    const auto [read, error] = std::from_chars(rest.data() + 2, end, unit, 16);
    return error == std::errc() && read == end ? std::optional(unit) : std::nullopt;
}

// One or two code units: the character that they are, as RE2 writes it. Half of a pair is found in no text.
std::optional<std::string> take_code_units(std::string_view& rest) {
    const auto first = code_unit(rest);
    if (!first) return std::nullopt;
    rest.remove_prefix(code_unit_bytes);
    auto character = *first;
    const auto second = code_unit(rest);
    if (first >= 0xD800U && first < 0xDC00U && second >= 0xDC00U && second < 0xE000U) {
        rest.remove_prefix(code_unit_bytes);
        character = 0x10000U + ((*first - 0xD800U) << 10U) + (*second - 0xDC00U);
    }
    return fmt::format("\\x{{{:x}}}", character);
}

// An escape of ECMAScript, at the beginning of `rest`, as RE2 writes it; takes it away.
std::string take_escape(std::string_view& rest, bool in_class) {
    const auto take = [&](std::size_t bytes) {
        const auto taken = rest.substr(0, bytes);
        rest.remove_prefix(taken.size());
        return std::string(taken);
    };
    const auto class_of = [&](std::string_view content) {
        return in_class ? std::string(content) : fmt::format("[{}]", content);
    };
    if (auto character = take_code_units(rest)) return *character;
    if (rest.starts_with("\\c") && rest.size() > 2 && is_letter(rest[2]))
        return fmt::format("\\x{:02x}", take(3)[2] % 32);
    auto escape = take(2);
    if (escape == "\\u" && rest.starts_with('{')) return "\\x";  // the braces are alike
    if (escape == "\\s") return class_of(white_space);
    if (escape == "\\S") return class_of(no_white_space);
    if (escape == "\\b" && in_class) return "\\x08";
    return escape;
}

// What both write alike stays as it is. So does `.`, which is each character but the line feed to RE2:
// without the other three ends of lines it would take 2.4 times the instructions, and ^.{1,255}$ be too
// large.
std::string to_re2(std::string_view pattern) {
    std::string out;
    bool in_class = false;
    while (!pattern.empty()) {
        if (pattern.front() == '\\') {
            out += take_escape(pattern, in_class);
            continue;
        }
        if (pattern.front() == '[') in_class = true;
        if (pattern.front() == ']') in_class = false;
        out += pattern.front();
        pattern.remove_prefix(1);
    }
    return out;
}

}  // namespace

std::variant<TextPattern, std::string> TextPattern::compile(std::string_view pattern) {
    RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(memory_bytes);
    auto compiled = std::make_shared<const RE2>(to_re2(pattern), options);
    if (!compiled->ok()) return fmt::format("can not be used as a pattern: {}", compiled->error());
    if (compiled->ProgramSize() > most_instructions)
        return std::string("can not be used as a pattern: it is too large");
    return TextPattern(std::string(pattern), std::move(compiled));
}

// RE2's own view of a text is made of a std::string_view in some versions only, and of its parts in all.
bool TextPattern::is_found_in(std::string_view text) const {
    return RE2::PartialMatch({text.data(), text.size()}, *compiled_);
}

std::size_t TextPattern::cost(std::size_t text_bytes) const {
    return (text_bytes + 1) * static_cast<std::size_t>(compiled_->ProgramSize());
}

}  // namespace posthorn::domain
