#pragma once
#include <boost/json/array.hpp>
#include <cstddef>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "domain/json_number.hpp"
#include "domain/text_pattern.hpp"

// A compiled JSON Schema: one node for each of its subschemas, each with its rules. Private to
// json_schema*.cpp.
namespace posthorn::domain::schema {

using NodeIndex = std::size_t;  // into Compiled::nodes
using Nodes = std::vector<NodeIndex>;

struct Never {};  // the schema `false`

struct Reference {
    NodeIndex to;
};

struct TypeRule {
    enum Type : unsigned {
        null = 1,
        boolean = 2,
        integer = 4,
        number = 8,
        string = 16,
        array = 32,
        object = 64
    };
    unsigned allowed = 0;
    std::string names;  // for people
};

struct EnumRule {
    boost::json::array values;
};

struct ConstRule {
    boost::json::value value;
};

struct NumberRule {
    enum class Kind { minimum, maximum, above, below, multiple_of };
    Kind kind;
    Number limit;
    std::string shown;  // the limit as JSON
};

struct SizeRule {
    enum class Of { characters, items, properties };
    Of of;
    std::size_t least = 0;
    std::size_t most = std::numeric_limits<std::size_t>::max();
};

struct PatternRule {
    TextPattern pattern;
};

struct ItemsRule {
    Nodes first;                    // by place
    std::optional<NodeIndex> rest;  // those beyond
};

struct UniqueRule {};

struct ContainsRule {
    NodeIndex node;
};

struct RequiredRule {
    std::vector<std::string> names;
};

struct PropertiesRule {
    std::map<std::string, NodeIndex, std::less<>> named;
    std::vector<std::pair<TextPattern, NodeIndex>> patterns;
    std::optional<NodeIndex> rest;  // what is neither named nor found by a pattern
};

struct PropertyNamesRule {
    NodeIndex node;
};

struct DependencyRule {
    std::string property;
    std::variant<std::vector<std::string>, NodeIndex> then;
};

struct Combination {
    enum class Kind { all_of, any_of, one_of, none_of };
    Kind kind;
    Nodes nodes;
};

struct Conditional {
    NodeIndex condition;
    std::optional<NodeIndex> then, otherwise;
};

using Rule = std::variant<Never, Reference, TypeRule, EnumRule, ConstRule, NumberRule, SizeRule, PatternRule,
                          ItemsRule, UniqueRule, ContainsRule, RequiredRule, PropertiesRule,
                          PropertyNamesRule, DependencyRule, Combination, Conditional>;

struct Compiled {
    std::vector<std::vector<Rule>> nodes;  // the first is the root
    std::size_t source_bytes = 0;
    std::size_t patterns = 0;
};

}  // namespace posthorn::domain::schema
