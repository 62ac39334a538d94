#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/id.hpp"
#include "domain/endpoint_url.hpp"
#include "domain/payload_filter.hpp"
#include "domain/retry_schedule.hpp"
#include "domain/signature.hpp"

namespace posthorn::workers {

// What a worker must know of an endpoint to deliver to it. Immutable: a change makes a new one with a higher
// version.
struct EndpointConfig {
    EndpointId id;
    ApplicationId application;
    std::int64_t version = 0;
    std::string url;
    std::shared_ptr<const domain::EndpointUrl> parsed_url;  // null: it breaks a rule
    bool disabled = false;
    bool deleted = false;
    bool unreadable = false;  // what is sealed could not be opened: nothing can be sent, and nothing ends
    bool ordered = false;
    bool http2 = false;
    int rate_limit = 0;  // requests a second; 0: none
    std::optional<domain::PayloadFilter> filter;
    std::optional<domain::RetrySchedule> retry_schedule;  // nothing: the service's
    std::optional<std::chrono::milliseconds> timeout;     // likewise
    std::optional<SystemTime> failing_since;
    std::vector<std::pair<std::string, std::string>> headers;
    struct Key {
        domain::SigningKey key;
        std::optional<SystemTime> expires_at;
    };
    std::vector<Key> keys;  // the current one first

    bool open() const { return !disabled && !deleted; }
};

}  // namespace posthorn::workers
