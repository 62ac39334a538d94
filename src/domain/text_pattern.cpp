#include "domain/text_pattern.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <re2/re2.h>

namespace posthorn::domain {

namespace {

// ECMAScript's white space, as the content of a class: RE2's \s is ASCII's, without the line tabulation.
constexpr std::string_view white_space = R"(\s\x0b\x{2028}\x{2029}\x{feff}\p{Zs})";

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// An escape of ECMAScript, at the beginning of `rest`, as RE2 writes it; takes it away.
std::string take_escape(std::string_view& rest, bool in_class) {
    constexpr std::size_t code_unit = 6;  // \u00e4
    const auto take = [&](std::size_t bytes) {
        const auto taken = rest.substr(0, bytes);
        rest.remove_prefix(taken.size());
        return std::string(taken);
    };
    const auto digits = rest.substr(std::min<std::size_t>(2, rest.size()), code_unit - 2);
    if (rest.starts_with("\\u") && digits.size() == code_unit - 2 && std::ranges::all_of(digits, is_hex))
        return fmt::format("\\x{{{}}}", take(code_unit).substr(2));
    if (rest.starts_with("\\c") && rest.size() > 2 && is_letter(rest[2]))
        return fmt::format("\\x{:02x}", take(3)[2] % 32);
    auto escape = take(2);
    if (escape == "\\s") return in_class ? std::string(white_space) : fmt::format("[{}]", white_space);
    if (escape == "\\S" && !in_class) return fmt::format("[^{}]", white_space);
    return escape;
}

// What both write alike stays as it is.
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
