#include "admin-api/fields.hpp"

#include <boost/json.hpp>

namespace posthorn::admin {

namespace json = boost::json;

namespace {
constexpr MapRule metadata_rule{
    .most = limits::metadata_entries,
    .key = {.shortest = 1, .longest = limits::metadata_key_characters},
    .value = {.shortest = 0, .longest = limits::metadata_value_characters},
};
}

Field<StringMap> read_metadata(const ObjectReader& reader) {
    return reader.map("metadata", Need::optional, metadata_rule);
}

Field<std::int32_t> read_rate(const ObjectReader& reader) {
    const auto read = [&](std::string_view name) {
        return reader.integer(name, Need::nullable, limits::lowest_rate_per_second,
                              limits::highest_rate_per_second);
    };
    const auto newer = read("throttleRate"), older = read("rateLimit");
    if (newer.mentioned && older.mentioned && newer.value != older.value)
        reader.problems().add(reader.location("rateLimit"), "must equal throttleRate where both are given");
    const auto& given = newer.mentioned ? newer : older;
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
