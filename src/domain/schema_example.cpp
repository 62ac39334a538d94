#include "domain/schema_example.hpp"

#include <boost/json.hpp>
#include <string_view>

namespace posthorn::domain {

namespace json = boost::json;

namespace {

constexpr int deepest = 8;

std::string_view type_of(const json::object& schema) {
    const auto* type = schema.if_contains("type");
    if (type != nullptr && type->is_array() && !type->get_array().empty()) type = &type->get_array().front();
    if (type != nullptr && type->is_string()) return {type->get_string().data(), type->get_string().size()};
    return schema.contains("properties") ? "object" : "";
}

std::string_view text_of_format(const json::object& schema) {
    const auto* format = schema.if_contains("format");
    if (format == nullptr || !format->is_string()) return "text";
    if (*format == "date-time") return "2026-01-31T12:00:00Z";
    if (*format == "date") return "2026-01-31";
    if (*format == "email") return "someone@example.com";
    if (*format == "uri") return "https://example.com/";
    if (*format == "uuid") return "01900000-0000-7000-8000-000000000000";
    return "text";
}

json::value make(const json::object& schema, int level) {
    for (const auto* word : {"example", "default", "const"})
        if (const auto* given = schema.if_contains(word)) return *given;
    for (const auto* word : {"examples", "enum"})
        if (const auto* given = schema.if_contains(word);
            given != nullptr && given->is_array() && !given->get_array().empty())
            return given->get_array().front();
    if (level > deepest) return nullptr;
    const auto type = type_of(schema);
    if (type == "object") {
        json::object object;
        const auto* properties = schema.if_contains("properties");
        if (properties != nullptr && properties->is_object())
            for (const auto& property : properties->get_object())
                object[property.key()] = property.value().is_object()
                                             ? make(property.value().get_object(), level + 1)
                                             : json::value(nullptr);
        return object;
    }
    if (type == "array") {
        const auto* items = schema.if_contains("items");
        if (items == nullptr || !items->is_object()) return json::array();
        return json::array{make(items->get_object(), level + 1)};
    }
    if (type == "string") return json::string(text_of_format(schema));
    if (type == "integer") return 1;
    if (type == "number") return 1.5;
    if (type == "boolean") return true;
    return nullptr;
}

}  // namespace

json::value example_of(const json::object& schema) { return make(schema, 1); }

}  // namespace posthorn::domain
