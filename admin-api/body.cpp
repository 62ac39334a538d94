#include "admin-api/body.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <set>

#include "admin-api/limits.hpp"
#include "base/encoding.hpp"
#include "base/timestamp.hpp"
#include "domain/endpoint_filter.hpp"

namespace posthorn::admin {

namespace json = boost::json;

namespace {

std::size_t count_code_points(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

bool holds_nul(const json::value& value) {
    if (const auto* text = value.if_string()) return text->find('\0') != json::string::npos;
    if (const auto* array = value.if_array()) return std::any_of(array->begin(), array->end(), holds_nul);
    const auto* object = value.if_object();
    return object && std::any_of(object->begin(), object->end(), [](const auto& entry) {
               return entry.key().find('\0') != json::string_view::npos || holds_nul(entry.value());
           });
}

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

// The texts of `map` and `nullable_map`: keys and values by their rules.
template <class Map>
void read_map(const json::object& object, const MapRule& rule, bool nulls, const Problems::Location& location,
              Problems& problems, Field<Map>& field) {
    if (object.size() > rule.most)
        return problems.add(location, fmt::format("at most {} entries are allowed", rule.most),
                            "value_error.dict.max_items");
    Map map;
    bool valid = true;
    for (const auto& entry : object) {
        const std::string key(entry.key());
        auto of_entry = location;
        of_entry.push_back(to_valid_utf8(key));
        valid &= check_text(key, rule.key, of_entry, problems);
        if (const auto* text = entry.value().if_string()) {
            valid &= check_text(view(*text), rule.value, of_entry, problems);
            map[key] = std::string(view(*text));
        } else if (nulls && entry.value().is_null()) {
            map[key] = {};
        } else {
            problems.add(of_entry, nulls ? "must be a string or null" : "must be a string", "type_error.str");
            valid = false;
        }
    }
    if (!valid) return;
    field.mentioned = true;
    field.value = std::move(map);
}

}  // namespace

json::object parse_body(const http::Request& request) {
    json::parse_options options;
    options.max_depth = limits::body_depth;
    boost::system::error_code error;
    const auto value = json::parse(request.body, error, {}, options);
    if (error == json::error::too_deep)
        throw http::ValidationProblem{{{{"body"},
                                        fmt::format("nested more than {} levels deep", limits::body_depth),
                                        "value_error.jsondecode"}}};
    if (error)
        throw http::ValidationProblem{
            {{{"body"}, "the body must be JSON: " + error.message(), "value_error.jsondecode"}}};
    if (const auto* object = value.if_object()) return *object;
    throw http::ValidationProblem{{{{"body"}, "the body must be a JSON object", "type_error.dict"}}};
}

bool check_text(std::string_view text, const TextRule& rule, const Problems::Location& location,
                Problems& problems) {
    if (text.find('\0') != std::string_view::npos || !is_valid_utf8(text)) {
        problems.add(location, "must be valid UTF-8 without NUL characters", "value_error.str");
        return false;
    }
    const auto length = count_code_points(text);
    if (length < rule.shortest) {
        problems.add(location, fmt::format("must have at least {} character(s)", rule.shortest),
                     "value_error.any_str.min_length");
        return false;
    }
    if (length > rule.longest) {
        problems.add(location, fmt::format("must have at most {} characters", rule.longest),
                     "value_error.any_str.max_length");
        return false;
    }
    const auto name = rule.wildcard && domain::is_wildcard(text) ? text.substr(0, text.size() - 2) : text;
    if (rule.name && !domain::is_valid_name(name, rule.longest)) {
        problems.add(location, "may hold only letters, digits, '-', '_' and '.' (^[a-zA-Z0-9\\-_.]+$)",
                     "value_error.str.regex");
        return false;
    }
    return true;
}

ObjectReader::ObjectReader(const json::object& object, Problems& problems, Problems::Location location)
    : object_(object), problems_(problems), location_(std::move(location)) {}

Problems::Location ObjectReader::location(std::string_view name) const {
    auto location = location_;
    location.emplace_back(name);
    return location;
}

template <class T>
const json::value* ObjectReader::find(std::string_view name, Need need, Field<T>& field) const {
    const auto* value = object_.if_contains(json::string_view(name.data(), name.size()));
    const bool may_be_missing = need == Need::optional || need == Need::nullable;
    const bool may_be_null = need == Need::nullable || need == Need::required_nullable;
    if (!value) {
        if (!may_be_missing) problems_.add(location(name), "field required", "value_error.missing");
        return nullptr;
    }
    if (!value->is_null()) return value;
    if (may_be_null)
        field.mentioned = true;
    else
        problems_.add(location(name), "must not be null", "type_error.none.not_allowed");
    return nullptr;
}

Field<std::string> ObjectReader::text(std::string_view name, Need need, TextRule rule) const {
    Field<std::string> field;
    const auto* value = find(name, need, field);
    if (!value) return field;
    const auto* text = value->if_string();
    if (!text) {
        problems_.add(location(name), "must be a string", "type_error.str");
    } else if (check_text(view(*text), rule, location(name), problems_)) {
        field.mentioned = true;
        field.value = std::string(view(*text));
    }
    return field;
}

Field<std::int64_t> ObjectReader::integer(std::string_view name, Need need, std::int64_t lowest,
                                          std::int64_t highest) const {
    Field<std::int64_t> field;
    const auto* value = find(name, need, field);
    if (!value) return field;
    if (!value->is_int64() && !value->is_uint64()) {
        problems_.add(location(name), "must be an integer", "type_error.integer");
    } else if (!value->is_int64() || value->get_int64() < lowest || value->get_int64() > highest) {
        problems_.add(location(name), fmt::format("must be from {} to {}", lowest, highest),
                      "value_error.number.range");
    } else {
        field.mentioned = true;
        field.value = value->get_int64();
    }
    return field;
}

Field<bool> ObjectReader::boolean(std::string_view name, Need need) const {
    Field<bool> field;
    const auto* value = find(name, need, field);
    if (!value) return field;
    if (!value->is_bool()) {
        problems_.add(location(name), "must be true or false", "type_error.bool");
    } else {
        field.mentioned = true;
        field.value = value->get_bool();
    }
    return field;
}

Field<SystemTime> ObjectReader::time(std::string_view name, Need need) const {
    Field<SystemTime> field;
    const auto* value = find(name, need, field);
    if (!value) return field;
    const auto* text = value->if_string();
    if (!text) {
        problems_.add(location(name), "must be a string", "type_error.str");
    } else if (const auto time = parse_timestamp(view(*text))) {
        field.mentioned = true;
        field.value = *time;
    } else {
        problems_.add(location(name), "must be an RFC 3339 time such as 2026-01-31T12:00:00Z",
                      "value_error.datetime");
    }
    return field;
}

Field<std::vector<std::string>> ObjectReader::texts(std::string_view name, Need need, ListRule rule) const {
    Field<std::vector<std::string>> field;
    const auto* value = find(name, need, field);
    if (!value) return field;
    const auto* array = value->if_array();
    if (!array) {
        problems_.add(location(name), "must be an array", "type_error.list");
        return field;
    }
    if (array->size() < rule.fewest || array->size() > rule.most) {
        problems_.add(location(name), fmt::format("must have from {} to {} items", rule.fewest, rule.most),
                      "value_error.list.items");
        return field;
    }
    std::vector<std::string> list;
    std::set<std::string_view> seen;
    bool valid = true;
    for (std::size_t i = 0; i < array->size(); ++i) {
        auto of_item = location(name);
        of_item.push_back(std::to_string(i));
        const auto* text = (*array)[i].if_string();
        if (!text) {
            problems_.add(of_item, "must be a string", "type_error.str");
            valid = false;
        } else if (!check_text(view(*text), rule.item, of_item, problems_)) {
            valid = false;
        } else if (!seen.insert(view(*text)).second) {
            problems_.add(of_item, "must not be there twice", "value_error.list.unique_items");
            valid = false;
        } else {
            list.emplace_back(view(*text));
        }
    }
    if (valid) {
        field.mentioned = true;
        field.value = std::move(list);
    }
    return field;
}

Field<std::vector<std::int32_t>> ObjectReader::integers(std::string_view name, Need need, std::size_t fewest,
                                                        std::size_t most, std::int32_t lowest,
                                                        std::int32_t highest) const {
    Field<std::vector<std::int32_t>> field;
    const auto* value = find(name, need, field);
    if (!value) return field;
    const auto* array = value->if_array();
    if (!array) {
        problems_.add(location(name), "must be an array", "type_error.list");
        return field;
    }
    if (array->size() < fewest || array->size() > most) {
        problems_.add(location(name), fmt::format("must have from {} to {} items", fewest, most),
                      "value_error.list.items");
        return field;
    }
    std::vector<std::int32_t> list;
    for (std::size_t i = 0; i < array->size(); ++i) {
        const auto* number = (*array)[i].if_int64();
        if (number != nullptr && *number >= lowest && *number <= highest) {
            list.push_back(static_cast<std::int32_t>(*number));
            continue;
        }
        auto of_item = location(name);
        of_item.push_back(std::to_string(i));
        problems_.add(of_item, fmt::format("must be an integer from {} to {}", lowest, highest),
                      "value_error.number.range");
    }
    if (list.size() == array->size()) field = {true, std::move(list)};
    return field;
}

Field<StringMap> ObjectReader::map(std::string_view name, Need need, MapRule rule) const {
    Field<StringMap> field;
    const auto* value = find(name, need, field);
    if (!value) return field;
    if (const auto* object = value->if_object())
        read_map(*object, rule, false, location(name), problems_, field);
    else
        problems_.add(location(name), "must be an object", "type_error.dict");
    return field;
}

Field<NullableStringMap> ObjectReader::nullable_map(std::string_view name, Need need, MapRule rule) const {
    Field<NullableStringMap> field;
    const auto* value = find(name, need, field);
    if (!value) return field;
    if (const auto* object = value->if_object())
        read_map(*object, rule, true, location(name), problems_, field);
    else
        problems_.add(location(name), "must be an object", "type_error.dict");
    return field;
}

Field<json::object> ObjectReader::object(std::string_view name, Need need) const {
    Field<json::object> field;
    const auto* value = find(name, need, field);
    if (!value) return field;
    if (!value->is_object()) {
        problems_.add(location(name), "must be an object", "type_error.dict");
    } else if (holds_nul(*value)) {
        problems_.add(location(name), "must not hold NUL characters", "value_error.str");
    } else {
        field.mentioned = true;
        field.value = value->get_object();
    }
    return field;
}

}  // namespace posthorn::admin
