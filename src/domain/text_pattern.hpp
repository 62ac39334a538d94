#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace re2 {
class RE2;
}

namespace posthorn::domain {

// A regular expression of a JSON Schema, evaluated by RE2: in time linear in the text, without a stack that
// grows, whatever pattern and text are. Immutable, any thread; copies share.
class TextPattern {
public:
    // The rule that it breaks, for what RE2 can't do: look-around, back-references, more than 1,000
    // repetitions, or a pattern that becomes larger than this.
    static constexpr int most_instructions = 2'500;
    static constexpr int memory_bytes = 256 * 1024;  // at most, about, of one pattern at work
    static std::variant<TextPattern, std::string> compile(std::string_view pattern);

    bool is_found_in(std::string_view text) const;
    // How much work is_found_in can be at worst, in instructions of the compiled pattern.
    std::size_t cost(std::size_t text_bytes) const;
    const std::string& text() const { return text_; }

private:
    TextPattern(std::string text, std::shared_ptr<const re2::RE2> compiled)
        : text_(std::move(text)), compiled_(std::move(compiled)) {}

    std::string text_;  // as it was written
    std::shared_ptr<const re2::RE2> compiled_;
};

}  // namespace posthorn::domain
