#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace posthorn::domain {

// Why a delivery became a dead letter. The numbers are stored.
enum class DeadLetterReason : std::uint8_t {
    exhausted = 1,
    endpoint_disabled = 2,
    gone = 3,
    expired = 4,
    aborted_by_receiver = 5,
    undeliverable = 6
};
std::string_view to_string(DeadLetterReason reason);  // "exhausted", "endpoint-disabled", ...
std::optional<DeadLetterReason> parse_dead_letter_reason(std::string_view text);

// What a single attempt's result means. A pure function of what was received.
struct AttemptFacts {
    bool answered = false;  // an HTTP answer was received
    int status = 0;
    std::optional<std::chrono::milliseconds> retry_after{};
    bool wants_disable = false;  // "webhook-delivery: disable"
    bool wants_abort = false;    // "webhook-delivery: abort-message"
    bool refused_by_guard = false;
};
struct Verdict {
    enum class Kind : std::uint8_t {
        delivered,         // 2xx alone
        retry,             // by schedule
        slow_down,         // 429, 502, 503, 504: by schedule, and the endpoint's concurrency shrinks at once
        disable_endpoint,  // 410, or asked for: this delivery ends as gone
        abort,             // this delivery alone ends, no more attempts
    };
    Kind kind = Kind::retry;
    std::chrono::milliseconds not_before{0};  // from Retry-After, clamped to 24 h
};
Verdict judge(const AttemptFacts& facts);

}  // namespace posthorn::domain
