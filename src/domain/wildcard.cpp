#include "domain/wildcard.hpp"

namespace posthorn::domain {

namespace {

std::vector<std::size_t> borders_of(std::string_view text) {
    std::vector<std::size_t> borders(text.size());
    for (std::size_t i = 1, length = 0; i < text.size(); ++i) {
        while (length > 0 && text[i] != text[length]) length = borders[length - 1];
        if (text[i] == text[length]) ++length;
        borders[i] = length;
    }
    return borders;
}

}  // namespace

// Knuth, Morris and Pratt's search: no byte of the text is gone back to. std::string_view::find would take
// the product of both lengths for a hostile text.
std::size_t Wildcard::Piece::find_in(std::string_view where) const {
    if (text.empty()) return 0;
    std::size_t length = 0;
    for (std::size_t i = 0; i < where.size(); ++i) {
        while (length > 0 && where[i] != text[length]) length = borders[length - 1];
        if (where[i] == text[length]) ++length;
        if (length == text.size()) return i + 1 - length;
    }
    return std::string_view::npos;
}

std::optional<Wildcard> Wildcard::parse(std::string_view pattern) {
    Wildcard made;
    made.pieces_.emplace_back();
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] == '*') {
            made.pieces_.emplace_back();
            continue;
        }
        if (pattern[i] == '\\') {
            ++i;
            if (i == pattern.size() || (pattern[i] != '*' && pattern[i] != '\\')) return std::nullopt;
        }
        made.pieces_.back().text += pattern[i];
    }
    for (auto& piece : made.pieces_) piece.borders = borders_of(piece.text);
    return made;
}

// The first piece begins the text, the last ends it. Each one between is taken where it first occurs: that
// leaves the most for those after it.
bool Wildcard::matches(std::string_view text) const {
    const auto& first = pieces_.front().text;
    if (pieces_.size() == 1) return text == first;
    if (!text.starts_with(first)) return false;
    text.remove_prefix(first.size());
    const auto& last = pieces_.back().text;
    if (!text.ends_with(last)) return false;
    text.remove_suffix(last.size());
    for (std::size_t i = 1; i + 1 < pieces_.size(); ++i) {
        const auto at = pieces_[i].find_in(text);
        if (at == std::string_view::npos) return false;
        text.remove_prefix(at + pieces_[i].text.size());
    }
    return true;
}

}  // namespace posthorn::domain
