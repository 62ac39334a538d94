#pragma once
#include <boost/json/value.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace posthorn::domain {

namespace schema {
struct Compiled;
}

// What is wrong with a schema, at a JSON pointer within it.
struct SchemaProblem {
    std::string pointer;
    std::string rule;
};

// Where a value breaks its schema, and which rule.
struct SchemaViolation {
    std::vector<std::string> path;  // steps from the value down; long names are cut
    std::string rule;
};

// A JSON Schema of draft 7 (drafts 6 and 4 where `$schema` says so), compiled to be held against values.
// `format` and the content of texts are annotations, `$ref` leads to places of the schema itself, patterns
// are RE2's. Immutable, any thread; copies share.
//
// Time and memory are bounded whatever schema and value are: docs/decisions/0005.
class JsonSchema {
public:
    static constexpr std::size_t most_subschemas = 5'000;
    static constexpr std::size_t most_patterns = 100;
    static constexpr std::size_t most_violations = 10;     // reported of one value
    static constexpr std::size_t most_steps = 10'000'000;  // of one evaluation; a rule at a value is one
    static constexpr std::size_t text_bytes_a_step = 64;   // of texts that are looked at
    static constexpr std::size_t deepest = 1'000;          // schemas within schemas, at work
    static constexpr std::size_t most_pattern_cost =
        40'000'000;  // of one pattern on one text: TextPattern::cost
    static constexpr std::chrono::milliseconds longest_cpu_time{500};  // looked at where patterns are at work

    // What forbids to store a schema; what forbids to enforce it is more. One of a draft unknown here (by
    // its `$schema`) may be stored unread.
    static std::optional<SchemaProblem> find_problem(const boost::json::object& schema);
    static std::variant<JsonSchema, SchemaProblem> compile(const boost::json::object& schema);

    // Empty: it fulfils the schema. A value that takes too many steps, and a number beyond the range of a
    // double where a rule meets it, break it.
    std::vector<SchemaViolation> validate(const boost::json::value& value) const;

    std::size_t memory_bytes() const;  // about, at most

private:
    explicit JsonSchema(std::shared_ptr<const schema::Compiled> compiled) : compiled_(std::move(compiled)) {}

    std::shared_ptr<const schema::Compiled> compiled_;
};

}  // namespace posthorn::domain
