#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "domain/verdict.hpp"

namespace posthorn::domain {

// All that is known of one message and one endpoint.
struct DeliveryFacts {
    SystemTime now{};
    struct Live {
        int attempt = 1;  // the next one
        SystemTime due_at{};
        bool ordered = false;
        std::int64_t before_it =
            0;  // deliveries of the endpoint: of lower number if ordered, else due earlier
    };
    std::optional<Live> live;
    struct Dead {
        DeadLetterReason reason{};
        int attempts = 0;
    };
    std::optional<Dead> dead;
    struct LastAttempt {
        bool succeeded = false;
        int status = 0;  // 0 without an answer
    };
    std::optional<LastAttempt> last_attempt;

    // The endpoint as it is now.
    bool takes_event_type = true, takes_channels = true, takes_payload = true;
    bool disabled = false;
    std::optional<SystemTime> circuit_open_until;
    std::optional<std::int32_t> rate_limit;  // requests a second
    // And as it was when the message came.
    bool existed = true, was_disabled = false;
};

// The plain answer to "why was this not delivered?"
struct Explanation {
    enum class State : std::uint8_t { delivered, waiting, failed, not_sent };
    State state;
    std::string reason;  // a word; the API's documentation lists them
    std::string detail;  // a sentence
    std::optional<SystemTime> until = {};
    std::optional<std::int64_t> waiting_for = {};  // deliveries that come before it
};
std::string_view to_string(Explanation::State state);

Explanation explain(const DeliveryFacts& facts);

}  // namespace posthorn::domain
