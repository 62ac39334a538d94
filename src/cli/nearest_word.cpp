#include "cli/nearest_word.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace posthorn::cli {

namespace {
// Levenshtein: insertions, deletions and replacements of one letter.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const auto replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = std::exchange(row[j], std::min({replaced, row[j] + 1, row[j - 1] + 1}));
        }
    }
    return row.back();
}
}  // namespace

std::optional<std::string_view> nearest_word(std::string_view given,
                                             const std::vector<std::string_view>& words) {
    std::optional<std::string_view> nearest;
    auto least = std::max<std::size_t>(2, given.size() / 3) + 1;
    for (const auto word : words) {
        const auto distance = edit_distance(given, word);
        if (distance >= least) continue;
        least = distance;
        nearest = word;
    }
    return nearest;
}

}  // namespace posthorn::cli
