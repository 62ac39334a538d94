#pragma once
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"

namespace posthorn::domain {

// What few messages have besides their payload.
struct MessageExtras {
    std::vector<std::pair<std::string, std::string>> headers;  // sent with each of its deliveries
    bool raw = false;                                          // the payload is any text, not a JSON object
    std::optional<SystemTime> deliver_at;                      // not before

    bool operator==(const MessageExtras&) const = default;
};

// Null where there are none.
inline std::shared_ptr<const MessageExtras> make_extras(MessageExtras extras) {
    if (extras == MessageExtras{}) return nullptr;
    return std::make_shared<const MessageExtras>(std::move(extras));
}

}  // namespace posthorn::domain
