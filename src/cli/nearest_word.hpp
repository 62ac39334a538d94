#pragma once
#include <optional>
#include <string_view>
#include <vector>

namespace posthorn::cli {

// What a mistyped word was probably meant to be: at most a third of its letters (and 2 in any case) away.
// Nothing if none is near.
std::optional<std::string_view> nearest_word(std::string_view given,
                                             const std::vector<std::string_view>& words);

}  // namespace posthorn::cli
