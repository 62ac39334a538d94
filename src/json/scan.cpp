#include "json/scan.hpp"

#include <fmt/format.h>
#include <simdjson.h>
#include <utility>

namespace posthorn::json {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex_digit(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_white_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// One pass over the text. Each function reads one construct from where it stands, and returns false after the
// first error.
class Scanner {
public:
    Scanner(std::string_view text, int deepest) : text_(text), levels_left_(deepest) {}

    bool document(std::vector<Member>& members) {
        skip_white_space();
        if (text_.empty() || at_ == text_.size()) return fail("the body is empty");
        if (peek() != '{') return fail("the body must be a JSON object");
        if (!object(&members)) return false;
        skip_white_space();
        return at_ == text_.size() || fail("there is something after the object's end");
    }
    bool document(std::vector<std::string_view>& items) {
        return peek() == '[' && array(&items) && at_ == text_.size();
    }
    std::string error() const { return fmt::format("{} (at byte {})", error_, at_); }

private:
    bool fail(std::string_view what) {
        error_ = what;
        return false;
    }
    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    bool take(char wanted) {
        if (at_ >= text_.size() || text_[at_] != wanted) return false;
        ++at_;
        return true;
    }
    void skip_white_space() {
        while (at_ < text_.size() && is_white_space(text_[at_])) ++at_;
    }

    bool value() {
        switch (peek()) {
            case '{':
                return object(nullptr);
            case '[':
                return array(nullptr);
            case '"':
                return string();
            case 't':
                return literal("true");
            case 'f':
                return literal("false");
            case 'n':
                return literal("null");
            default:
                return number();
        }
    }

    bool enter() { return levels_left_-- > 0 || fail("objects and arrays are nested too deep"); }

    bool object(std::vector<Member>* members) {
        ++at_;
        if (!enter()) return false;
        skip_white_space();
        if (!take('}')) {
            do {
                skip_white_space();
                if (!member(members)) return false;
                skip_white_space();
            } while (take(','));
            if (!take('}')) return fail("expected ',' or '}'");
        }
        ++levels_left_;
        return true;
    }

    bool member(std::vector<Member>* members) {
        if (peek() != '"') return fail("expected a key in double quotes");
        const auto key_start = at_ + 1;
        if (!string()) return false;
        const auto key = text_.substr(key_start, at_ - 1 - key_start);
        skip_white_space();
        if (!take(':')) return fail("expected ':'");
        skip_white_space();
        const auto start = at_;
        if (!value()) return false;
        if (members != nullptr) members->push_back({key, text_.substr(start, at_ - start)});
        return true;
    }

    bool array(std::vector<std::string_view>* items) {
        ++at_;
        if (!enter()) return false;
        skip_white_space();
        if (!take(']')) {
            do {
                skip_white_space();
                const auto start = at_;
                if (!value()) return false;
                if (items != nullptr) items->push_back(text_.substr(start, at_ - start));
                skip_white_space();
            } while (take(','));
            if (!take(']')) return fail("expected ',' or ']'");
        }
        ++levels_left_;
        return true;
    }

    bool string() {
        ++at_;
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '"') {
                ++at_;
                return true;
            }
            if (static_cast<unsigned char>(c) < 0x20)
                return fail("a control character must be escaped in a string");
            ++at_;
            if (c == '\\' && !escape()) return false;
        }
        return fail("a string has no end");
    }

    bool escape() {
        constexpr std::string_view single = "\"\\/bfnrt";
        const char c = peek();
        if (c != 'u') {
            if (single.find(c) == std::string_view::npos) return fail("there is no such escape");
            ++at_;
            return true;
        }
        ++at_;
        for (int i = 0; i < 4; ++i, ++at_)
            if (!is_hex_digit(peek())) return fail("\\u takes four hexadecimal digits");
        return true;
    }

    bool digits() {
        if (!is_digit(peek())) return fail("expected a value");
        while (is_digit(peek())) ++at_;
        return true;
    }

    bool number() {
        take('-');
        if (take('0')) {
            if (is_digit(peek())) return fail("a number must not begin with 0");
        } else if (!digits()) {
            return false;
        }
        if (take('.') && !digits()) return false;
        if (take('e') || take('E')) {
            if (!take('+')) take('-');
            if (!digits()) return false;
        }
        return true;
    }

    bool literal(std::string_view word) {
        if (!text_.substr(at_).starts_with(word)) return fail("expected a value");
        at_ += word.size();
        return true;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    int levels_left_;
    std::string_view error_;
};

}  // namespace

ObjectScan scan_object(std::string_view text, int deepest) {
    ObjectScan scan;
    if (!simdjson::validate_utf8(text.data(), text.size())) {
        scan.error = "the text is not UTF-8";
        return scan;
    }
    Scanner scanner(text, deepest);
    if (!scanner.document(scan.members)) {
        scan.members.clear();
        scan.error = scanner.error();
    }
    return scan;
}

std::optional<std::vector<std::string_view>> scan_array(std::string_view text, int deepest) {
    std::vector<std::string_view> items;
    if (!simdjson::validate_utf8(text.data(), text.size()) || !Scanner(text, deepest).document(items))
        return std::nullopt;
    return items;
}

}  // namespace posthorn::json
