#include "admin-api/query.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/timestamp.hpp"

namespace posthorn::admin {

std::optional<std::string_view> QueryReader::find(std::string_view name) const {
    const auto value = request_.query_value(name);
    return value && !value->empty() ? value : std::nullopt;
}

std::optional<std::string> QueryReader::text(std::string_view name, TextRule rule) const {
    const auto value = find(name);
    if (!value || !check_text(*value, rule, location(name), problems_)) return std::nullopt;
    return std::string(*value);
}

std::optional<std::int64_t> QueryReader::integer(std::string_view name, std::int64_t lowest,
                                                 std::int64_t highest) const {
    const auto value = find(name);
    if (!value) return std::nullopt;
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), number);
    const bool whole = end == value->data() + value->size();
    if (!whole || error == std::errc::invalid_argument) {
        problems_.add(location(name), "must be an integer", "type_error.integer");
        return std::nullopt;
    }
    if (error != std::errc{} || number < lowest || number > highest) {
        problems_.add(location(name), fmt::format("must be from {} to {}", lowest, highest),
                      "value_error.number.range");
        return std::nullopt;
    }
    return number;
}

bool QueryReader::boolean(std::string_view name, bool otherwise) const {
    const auto value = find(name);
    if (!value) return otherwise;
    if (*value == "true" || *value == "false") return *value == "true";
    problems_.add(location(name), "must be true or false", "type_error.bool");
    return otherwise;
}

std::optional<SystemTime> QueryReader::time(std::string_view name) const {
    const auto value = find(name);
    if (!value) return std::nullopt;
    const auto time = parse_timestamp(*value);
    if (!time)
        problems_.add(location(name), "must be an RFC 3339 time such as 2026-01-31T12:00:00Z",
                      "value_error.datetime");
    return time;
}

std::optional<std::vector<std::string>> QueryReader::texts(std::string_view name, ListRule rule) const {
    std::vector<std::string> list;
    bool valid = true;
    for (const auto& [key, value] : request_.query) {
        if (key != name) continue;
        std::string_view rest = value;
        while (!rest.empty()) {
            const auto item = rest.substr(0, rest.find(','));
            rest.remove_prefix(std::min(item.size() + 1, rest.size()));
            valid &= check_text(item, rule.item, location(name), problems_);
            if (std::find(list.begin(), list.end(), item) == list.end()) list.emplace_back(item);
        }
    }
    if (list.size() > rule.most) {
        problems_.add(location(name), fmt::format("must have at most {} items", rule.most),
                      "value_error.list.items");
        valid = false;
    }
    if (!valid || list.empty()) return std::nullopt;
    return list;
}

std::optional<std::size_t> QueryReader::choice(std::string_view name,
                                               const std::vector<std::string_view>& words) const {
    const auto value = find(name);
    if (!value) return std::nullopt;
    const auto found = std::find(words.begin(), words.end(), *value);
    if (found == words.end()) {
        problems_.add(location(name), fmt::format("must be one of: {}", fmt::join(words, ", ")),
                      "value_error.const");
        return std::nullopt;
    }
    return static_cast<std::size_t>(found - words.begin());
}

}  // namespace posthorn::admin
