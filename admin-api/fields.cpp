#include "admin-api/fields.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace posthorn::admin {

namespace json = boost::json;

namespace {
constexpr MapRule metadata_rule{
    .most = limits::metadata_entries,
    .key = {.shortest = 1, .longest = limits::metadata_key_characters},
    .value = {.shortest = 0, .longest = limits::metadata_value_characters},
};

// A field that clients know under two names.
template <class Read>
auto either(const ObjectReader& reader, std::string_view name, std::string_view other_name,
            const Read& read) {
    const auto field = read(name), other = read(other_name);
    if (field.mentioned && other.mentioned && field.value != other.value)
        reader.problems().add(reader.location(other_name),
                              fmt::format("must equal {} where both are given", name));
    return field.mentioned ? field : other;
}
}  // namespace

Field<StringMap> read_metadata(const ObjectReader& reader) {
    return reader.map("metadata", Need::optional, metadata_rule);
}

Field<std::vector<std::string>> read_event_types(const ObjectReader& reader) {
    return either(reader, "eventTypes", "filterTypes", [&](std::string_view name) {
        return reader.texts(name, Need::nullable, subscriptions_rule);
    });
}

Field<std::int32_t> read_rate(const ObjectReader& reader) {
    const auto given = either(reader, "throttleRate", "rateLimit", [&](std::string_view name) {
        return reader.integer(name, Need::nullable, limits::lowest_rate_per_second,
                              limits::highest_rate_per_second);
    });
    Field<std::int32_t> rate{given.mentioned, std::nullopt};
    if (given) rate.value = static_cast<std::int32_t>(*given);
    return rate;
}

std::string to_json_text(const StringMap& map) {
    json::object object;
    for (const auto& [key, value] : map) object[key] = value;
    return json::serialize(object);
}

json::value from_json_text(std::string_view text) {
    return json::parse(json::string_view(text.data(), text.size()));
}

}  // namespace posthorn::admin
