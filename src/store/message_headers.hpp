#pragma once
#include <boost/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// The column `headers` of the table message: a JSON object of texts, null where there are none.
namespace posthorn::store {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

inline std::optional<std::string> headers_to_json(const HeaderList& headers) {
    if (headers.empty()) return std::nullopt;
    boost::json::object object;
    for (const auto& [name, value] : headers) object[name] = value;
    return boost::json::serialize(object);
}

inline HeaderList headers_from_json(const std::optional<std::string>& text) {
    HeaderList headers;
    if (!text) return headers;
    const auto value = boost::json::parse(*text);
    for (const auto& entry : value.as_object())
        headers.emplace_back(entry.key(), boost::json::value_to<std::string>(entry.value()));
    return headers;
}

}  // namespace posthorn::store
