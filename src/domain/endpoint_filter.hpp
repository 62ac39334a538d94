#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace posthorn::domain {

// Which messages an endpoint gets. The same rule as the fan-out's SQL (sql/queries/accept.sql); a test holds
// both together.
struct EndpointFilter {
    std::optional<std::vector<std::string>>
        event_types;                                   // nothing: all; "user.*": all that begin with "user."
    std::optional<std::vector<std::string>> channels;  // nothing: all; else at least one in common
};
bool matches(const EndpointFilter& filter, std::string_view event_type,
             const std::vector<std::string>& channels);

bool is_wildcard(std::string_view event_type);

// The rules of names from outside (compatible API): [a-zA-Z0-9\-_.]+, 1 to 256 (channels 128) characters.
bool is_valid_name(std::string_view text, std::size_t longest);

}  // namespace posthorn::domain
