#include "domain/schema_versions.hpp"

#include <algorithm>
#include <boost/json.hpp>

namespace posthorn::domain {

namespace {

constexpr std::size_t most_digits = 9;

// 0: it is none.
int number_of_version(std::string_view name) {
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (name.empty() || name.size() > most_digits || name.front() == '0' ||
        !std::all_of(name.begin(), name.end(), is_digit))
        return 0;
    return std::stoi(std::string(name));
}

}  // namespace

std::optional<SchemaVersion> newest_schema(const boost::json::object& versions) {
    std::optional<SchemaVersion> newest;
    int highest = 0;
    for (const auto& [name, schema] : versions) {
        const std::string version(name);
        const int number = number_of_version(version);
        if (number == 0 || !schema.is_object()) return std::nullopt;
        if (number < highest) continue;
        highest = number;
        newest = SchemaVersion{version, &schema.get_object()};
    }
    return newest;
}

}  // namespace posthorn::domain
