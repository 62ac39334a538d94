#pragma once
#include <boost/json/value_from.hpp>
#include <optional>
#include <string>

#include "admin-api/body.hpp"
#include "admin-api/limits.hpp"
#include "base/timestamp.hpp"

// Fields that several resources have: their rules, and how they are shown.
namespace posthorn::admin {

inline constexpr TextRule uid_rule{.shortest = 1, .longest = limits::uid_characters, .name = true};
inline constexpr TextRule description_rule{.shortest = 0, .longest = limits::description_characters};
inline constexpr TextRule event_type_rule{
    .shortest = 1, .longest = limits::event_type_characters, .name = true};
inline constexpr TextRule feature_flag_rule{
    .shortest = 1, .longest = limits::feature_flag_characters, .name = true};
inline constexpr TextRule channel_rule{.shortest = 1, .longest = limits::channel_characters, .name = true};
// What an endpoint is subscribed to, wildcards among it; and lists of event types to choose by.
inline constexpr TextRule subscription_rule{
    .shortest = 1, .longest = limits::event_type_characters, .name = true, .wildcard = true};
inline constexpr ListRule subscriptions_rule{
    .fewest = 1, .most = limits::event_types_per_endpoint, .item = subscription_rule};
inline constexpr ListRule endpoint_channels_rule{
    .fewest = 1, .most = limits::channels_per_endpoint, .item = channel_rule};
inline constexpr ListRule event_types_rule{
    .fewest = 1, .most = limits::event_types_per_endpoint, .item = event_type_rule};
inline constexpr TextRule tag_rule{.shortest = 1, .longest = limits::tag_characters, .name = true};

// A uid must not read as an id of its kind: it could never be asked for.
template <class IdType>
Field<std::string> read_uid(const ObjectReader& reader) {
    auto uid = reader.text("uid", Need::nullable, uid_rule);
    if (uid && IdType::parse(*uid)) {
        reader.problems().add(reader.location("uid"), "must not have the form of an id", "value_error.uid");
        uid = {};
    }
    return uid;
}

Field<StringMap> read_metadata(const ObjectReader& reader);

// As "eventTypes" or "filterTypes": the compatible API has had both names.
Field<std::vector<std::string>> read_event_types(const ObjectReader& reader);

// Requests a second, as "throttleRate" or "rateLimit" (its older name).
Field<std::int32_t> read_rate(const ObjectReader& reader);

std::string to_json_text(const StringMap& map);
boost::json::value from_json_text(std::string_view text);

template <class T>
boost::json::value or_null(const std::optional<T>& value) {
    return value ? boost::json::value_from(*value) : boost::json::value(nullptr);
}

}  // namespace posthorn::admin
