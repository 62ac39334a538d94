#include "admin-api/endpoint_headers.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <set>

#include "admin-api/limits.hpp"
#include "http/ascii.hpp"
#include "http/header_rules.hpp"

namespace posthorn::admin {

namespace json = boost::json;

namespace {

constexpr std::array<std::string_view, 7> sensitive{
    "authorization",    "cookie",    "proxy-authenticate", "proxy-authorization",
    "www-authenticate", "x-api-key", "x-auth-token"};

constexpr MapRule headers_rule{
    .most = limits::headers_per_endpoint,
    .key = {.shortest = 1, .longest = limits::header_name_bytes},
    .value = {.shortest = 0, .longest = limits::header_value_bytes},
};

}  // namespace

bool is_sensitive_header(std::string_view name) {
    return std::any_of(sensitive.begin(), sensitive.end(),
                       [&](std::string_view other) { return http::equals_without_case(name, other); });
}

std::vector<std::string> drop_sensitive_headers(EndpointHeaders& headers) {
    std::vector<std::string> dropped;
    std::erase_if(headers, [&](const auto& header) {
        if (!is_sensitive_header(header.first)) return false;
        dropped.push_back(header.first);
        return true;
    });
    return dropped;
}

EndpointHeaders open_headers(const domain::SecretBox& box, const store::Endpoint& endpoint) {
    EndpointHeaders headers;
    if (!endpoint.headers) return headers;
    const auto opened = box.open(endpoint.id, *endpoint.headers);
    const auto value = json::parse(opened.reveal());
    for (const auto& entry : value.as_object()) {
        const auto& text = entry.value().as_string();
        headers.emplace(std::string(entry.key()), std::string(text.begin(), text.end()));
    }
    return headers;
}

std::optional<std::string> seal_headers(const domain::SecretBox& box, EndpointId endpoint,
                                        const EndpointHeaders& headers) {
    if (headers.empty()) return std::nullopt;
    json::object object;
    for (const auto& [name, value] : headers) object[name] = value;
    return box.seal(endpoint, json::serialize(object));
}

Field<NullableStringMap> read_headers(const ObjectReader& reader, Need need, bool nulls) {
    Field<NullableStringMap> field;
    if (nulls) {
        field = reader.nullable_map("headers", need, headers_rule);
    } else if (const auto plain = reader.map("headers", need, headers_rule)) {
        field = {true, NullableStringMap(plain->begin(), plain->end())};
    }
    if (!field) return field;
    std::set<std::string_view, http::CaselessLess> seen;
    bool valid = true;
    for (const auto& [name, value] : *field) {
        auto problem = http::header_problem(name, value.value_or(""));
        if (problem.empty() && !seen.insert(name).second)
            problem = "is there twice (names compare without case)";
        if (problem.empty()) continue;
        auto location = reader.location("headers");
        location.push_back(name);
        reader.problems().add(std::move(location), std::move(problem), "value_error.header");
        valid = false;
    }
    return valid ? field : Field<NullableStringMap>{};
}

void replace_headers(EndpointHeaders& headers, const NullableStringMap& given) {
    headers.clear();
    for (const auto& [name, value] : given)
        if (value) headers.emplace(name, *value);
}

void patch_headers(EndpointHeaders& headers, const NullableStringMap& given, Problems& problems) {
    for (const auto& [name, value] : given) {
        headers.erase(name);
        if (value) headers.emplace(name, *value);
    }
    if (headers.size() > limits::headers_per_endpoint)
        problems.add({"body", "headers"},
                     fmt::format("at most {} headers are allowed", limits::headers_per_endpoint),
                     "value_error.dict.max_items");
}

}  // namespace posthorn::admin
