#pragma once
#include <boost/system/result.hpp>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace posthorn {

// "250ms", "15s", "5m", "2h", "90d", also added up as in "1h30m". Whole, non-negative numbers; at most 3650d.
// Error: std::errc::invalid_argument.
boost::system::result<std::chrono::milliseconds> parse_duration(std::string_view text);

// Comma-separated durations: "5s,5m,30m". Spaces around the commas are allowed; empty text gives an empty
// list.
boost::system::result<std::vector<std::chrono::milliseconds>> parse_durations(std::string_view text);

std::string format_duration(
    std::chrono::milliseconds value);  // the shortest exact form, e.g. "90s" as "1m30s"

}  // namespace posthorn
