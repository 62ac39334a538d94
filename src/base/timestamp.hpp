#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace posthorn {

// RFC 3339 in UTC with microseconds: "2026-11-23T12:00:00.123456Z".
std::string format_timestamp(SystemTime time);

// RFC 3339 with any offset and 0 to 9 fraction digits; years 1970 to 9999.
std::optional<SystemTime> parse_timestamp(std::string_view text);

}  // namespace posthorn
