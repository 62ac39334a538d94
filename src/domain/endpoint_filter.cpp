#include "domain/endpoint_filter.hpp"

#include <algorithm>

namespace posthorn::domain {

namespace {
bool contains(const std::vector<std::string>& list, std::string_view text) {
    return std::find(list.begin(), list.end(), text) != list.end();
}

bool covers(const std::string& listed, std::string_view event_type) {
    if (!is_wildcard(listed)) return listed == event_type;
    return event_type.starts_with(std::string_view(listed).substr(0, listed.size() - 1));
}

bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}
}  // namespace

bool matches(const EndpointFilter& filter, std::string_view event_type,
             const std::vector<std::string>& channels) {
    if (filter.event_types &&
        std::none_of(filter.event_types->begin(), filter.event_types->end(),
                     [&](const std::string& listed) { return covers(listed, event_type); }))
        return false;
    return !filter.channels || std::any_of(channels.begin(), channels.end(), [&](const std::string& channel) {
        return contains(*filter.channels, channel);
    });
}

bool is_wildcard(std::string_view event_type) { return event_type.ends_with(".*"); }

bool is_valid_name(std::string_view text, std::size_t longest) {
    return !text.empty() && text.size() <= longest &&
           std::all_of(text.begin(), text.end(), is_name_character);
}

}  // namespace posthorn::domain
