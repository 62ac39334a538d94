#include "cli/fail_plan.hpp"

#include <charconv>

namespace posthorn::cli {

std::optional<FailPlan> FailPlan::parse(std::string_view text) {
    FailPlan plan;
    if (text == "all") {
        plan.share_ = 1;
        return plan;
    }
    const bool is_share = text.ends_with('%');
    if (is_share) text.remove_suffix(1);
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || (is_share && number > 100))
        return std::nullopt;
    if (is_share)
        plan.share_ = number / 100.0;
    else
        plan.first_ = number;
    return plan;
}

bool FailPlan::next_fails(Random& random) {
    if (first_ > 0) {
        --first_;
        return true;
    }
    return share_ > 0 && random.unit() < share_;
}

}  // namespace posthorn::cli
