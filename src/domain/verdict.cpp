#include "domain/verdict.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace posthorn::domain {

namespace {
constexpr std::array<std::pair<DeadLetterReason, std::string_view>, 6> reason_names{{
    {DeadLetterReason::exhausted, "exhausted"},
    {DeadLetterReason::endpoint_disabled, "endpoint-disabled"},
    {DeadLetterReason::gone, "gone"},
    {DeadLetterReason::expired, "expired"},
    {DeadLetterReason::aborted_by_receiver, "aborted-by-receiver"},
    {DeadLetterReason::undeliverable, "undeliverable"},
}};

constexpr std::chrono::milliseconds longest_wait = std::chrono::hours(24);

bool is_success(int status) { return status >= 200 && status <= 299; }
bool asks_to_slow_down(int status) {
    return status == 429 || status == 502 || status == 503 || status == 504;
}
constexpr int gone = 410;
}  // namespace

std::string_view to_string(DeadLetterReason reason) {
    const auto* entry = std::find_if(reason_names.begin(), reason_names.end(),
                                     [&](const auto& named) { return named.first == reason; });
    return entry == reason_names.end() ? "unknown" : entry->second;
}

std::optional<DeadLetterReason> parse_dead_letter_reason(std::string_view text) {
    const auto* entry = std::find_if(reason_names.begin(), reason_names.end(),
                                     [&](const auto& named) { return named.second == text; });
    if (entry == reason_names.end()) return std::nullopt;
    return entry->first;
}

Verdict judge(const AttemptFacts& facts) {
    using Kind = Verdict::Kind;
    if (facts.refused_by_guard || !facts.answered) return {Kind::retry};  // a name may point elsewhere later
    if (facts.status == gone || facts.wants_disable) return {Kind::disable_endpoint};
    if (is_success(facts.status)) return {Kind::delivered};
    if (facts.wants_abort) return {Kind::abort};
    const auto wait = std::clamp(facts.retry_after.value_or(std::chrono::milliseconds(0)),
                                 std::chrono::milliseconds(0), longest_wait);
    return {asks_to_slow_down(facts.status) ? Kind::slow_down : Kind::retry, wait};
}

}  // namespace posthorn::domain
