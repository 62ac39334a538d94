#pragma once
#include <chrono>
#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/random.hpp"

namespace posthorn::domain {

// Delays between attempts. Attempt 1 is immediate; entry n-1 is the delay after attempt n has failed.
class RetrySchedule {
public:
    explicit RetrySchedule(std::vector<std::chrono::milliseconds> delays) : delays_(std::move(delays)) {}

    // The delay after attempt `attempt` (1 is the first) failed; nothing if that was the last. 0 to 20 % are
    // added, never less than the schedule says (I8); never less than `retry_after` either.
    std::optional<std::chrono::milliseconds> delay_after(int attempt, Random& random,
                                                         std::chrono::milliseconds retry_after = {}) const;
    int attempts() const { return static_cast<int>(delays_.size()) + 1; }

private:
    std::vector<std::chrono::milliseconds> delays_;
};

// Retry-After (RFC 9110, 10.2.3): seconds or an HTTP date (all three forms), clamped to 0 .. 24 h. Nothing
// for garbage.
std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view text, SystemTime now);

}  // namespace posthorn::domain
