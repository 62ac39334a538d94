#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace posthorn::domain {

// A pattern in which '*' stands for any number of bytes, "\*" for an asterisk and "\\" for a backslash.
class Wildcard {
public:
    // Nothing if a backslash stands before anything else.
    static std::optional<Wildcard> parse(std::string_view pattern);

    // Takes time in proportion to the text's length, whatever the pattern: it may be a stranger's, and so may
    // the text.
    bool matches(std::string_view text) const;

private:
    struct Piece {
        std::string text;
        std::vector<std::size_t> borders;  // of each beginning: its longest proper one that is also its end

        std::size_t find_in(std::string_view where) const;
    };

    std::vector<Piece> pieces_;  // what stands between the asterisks: one more than there are of these
};

}  // namespace posthorn::domain
