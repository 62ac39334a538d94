#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.hpp"

namespace posthorn::http {

inline constexpr std::size_t query_parameter_limit = 100;

enum class PlusSign { literal, space };

// Nothing if a %-sequence is broken, or if the result holds NUL or is not UTF-8: such text could neither be
// stored nor shown.
std::optional<std::string> percent_decode(std::string_view text, PlusSign plus);

// Fills path, query of the request from a request target (RFC 9112, 3.2): origin-form, absolute-form of http
// and https (its authority is dropped), and "*" for OPTIONS. Throws Problem (400).
void parse_target(std::string_view target, Request& request);

}  // namespace posthorn::http
