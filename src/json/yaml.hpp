#pragma once
#include <boost/json/value.hpp>
#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

namespace posthorn::json {

struct YamlLimits {
    std::size_t depth;   // nested sequences and mappings
    std::size_t values;  // with what aliases repeat
};

// One YAML document as JSON, plain scalars by YAML's core schema; or what is wrong, with the line. Names of
// members are texts, whatever they look like. Not taken: tags but !!str, merge keys (<<), .inf and .nan.
std::variant<boost::json::value, std::string> parse_yaml(std::string_view text, YamlLimits limits);

}  // namespace posthorn::json
