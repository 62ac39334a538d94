#pragma once
#include <boost/json/object.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace posthorn::domain {

// A webhook of an OpenAPI document, as an event type.
struct OpenApiWebhook {
    std::string name;
    std::string description;
    bool deprecated = false;
    std::optional<std::string> feature_flag;  // x-svix-feature-flag, the first of x-svix-feature-flags
    std::optional<std::string> group;         // x-svix-group-name
    // Of the request's JSON body, as a JSON Schema of its own: what it refers to is in its `definitions`,
    // what OpenAPI 3.0 says in its own way is said in JSON Schema's, and the body's examples are in it.
    std::optional<boost::json::object> schema;
};

struct OpenApiProblem {
    std::vector<std::string> path;  // from the document down
    std::string rule;
};

inline constexpr std::size_t most_openapi_webhooks = 500;
// In all schemas together, each with what it refers to; 64 bytes of a text are one more.
inline constexpr std::size_t most_openapi_values = 500'000;

// The webhooks of an OpenAPI 3 document (`webhooks`, `x-webhooks`) by name, or all that is wrong. References
// lead to the document itself, those of schemas to #/components/schemas/.
std::variant<std::vector<OpenApiWebhook>, std::vector<OpenApiProblem>> read_openapi_webhooks(
    const boost::json::value& document);

}  // namespace posthorn::domain
