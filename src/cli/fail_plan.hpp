#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/random.hpp"

namespace posthorn::cli {

// Which requests a misbehaving subscriber fails: the first so many, all, or a share of them at random.
class FailPlan {
public:
    // "3", "all", "25%"; nothing for anything else.
    static std::optional<FailPlan> parse(std::string_view text);

    FailPlan() = default;  // none
    bool next_fails(Random& random);

private:
    std::uint64_t first_ = 0;  // still to be failed
    double share_ = 0;         // of the others, 0 to 1
};

}  // namespace posthorn::cli
