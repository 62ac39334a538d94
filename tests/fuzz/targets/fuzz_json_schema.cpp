// A JSON Schema and a value. One that can be enforced can be stored; a verdict is the same each time, and
// that of "all of this one" and the opposite of "not this one".
#include <boost/json.hpp>
#include <cmath>

#include "base/encoding.hpp"
#include "check.hpp"
#include "domain/json_schema.hpp"
#include "domain/schema_example.hpp"
#include "domain/schema_versions.hpp"

using namespace posthorn;
using fuzz::require;
namespace json = boost::json;

namespace {

constexpr std::size_t deepest = 64;  // as a payload

std::optional<json::value> parse(std::string_view text) {
    json::parse_options options;
    options.max_depth = deepest;
    boost::system::error_code error;
    auto value = json::parse({text.data(), text.size()}, error, {}, options);
    if (error) return std::nullopt;
    return value;
}

int levels_of(const json::value& value) {
    int below = 0;
    if (const auto* array = value.if_array())
        for (const auto& item : *array) below = std::max(below, levels_of(item));
    if (const auto* object = value.if_object())
        for (const auto& member : *object) below = std::max(below, levels_of(member.value()));
    return 1 + below;
}

bool is_beyond_doubles(const json::value& value) {
    if (const auto* array = value.if_array())
        return std::any_of(array->begin(), array->end(), is_beyond_doubles);
    if (const auto* object = value.if_object())
        return std::any_of(object->begin(), object->end(),
                           [](const auto& member) { return is_beyond_doubles(member.value()); });
    return value.is_double() && !std::isfinite(value.get_double());
}

void check_violations(const std::vector<domain::SchemaViolation>& violations) {
    require(violations.size() <= domain::JsonSchema::most_violations, "as many violations as are reported");
    for (const auto& violation : violations) {
        require(!violation.rule.empty() && is_valid_utf8(violation.rule), "each with its rule, as text");
        for (const auto& step : violation.path) require(is_valid_utf8(step), "and where, as text");
    }
}

bool was_given_up(const std::vector<domain::SchemaViolation>& violations) {
    return !violations.empty() && violations.front().rule.find("to be checked") != std::string::npos;
}

std::optional<domain::JsonSchema> compile(const json::object& schema) {
    auto compiled = domain::JsonSchema::compile(schema);
    if (auto* made = std::get_if<domain::JsonSchema>(&compiled)) return std::move(*made);
    return std::nullopt;
}

// What refers to itself, or says of which draft it is, means something else within another.
bool can_stand_within_another(const json::object& schema) {
    const auto text = json::serialize(schema);
    for (const auto* word : {"$ref", "$schema", "$id", "\"id\""})
        if (text.find(word) != std::string::npos) return false;
    return true;
}

void check_verdicts(const domain::JsonSchema& schema, const json::object& written, const json::value& value) {
    const auto violations = schema.validate(value);
    check_violations(violations);
    const auto again = schema.validate(value);
    if (was_given_up(violations) || was_given_up(again)) return;
    require(again.size() == violations.size(), "the same verdict each time");
    if (!can_stand_within_another(written) || is_beyond_doubles(value)) return;
    if (const auto all = compile({{"allOf", json::array{written}}})) {
        const auto of_all = all->validate(value);
        require(was_given_up(of_all) || of_all.empty() == violations.empty(), "all of one is that one");
    }
    if (const auto none = compile({{"not", written}})) {
        const auto of_none = none->validate(value);
        require(was_given_up(of_none) || of_none.empty() != violations.empty(), "not one is its opposite");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto value_text = fuzz::text_of(data, size);
    const auto written = parse(fuzz::take_part(value_text));
    if (!written || !written->is_object()) return 0;
    const auto& object = written->get_object();
    const auto example = domain::example_of(object);
    require(levels_of(example) <= std::max(levels_of(object), 9),
            "an example is as deep as its schema at most");
    domain::newest_schema(object);
    const auto unstorable = domain::JsonSchema::find_problem(object);
    const auto compiled = compile(object);
    require(!unstorable || !compiled, "what can be enforced can be stored");
    if (unstorable)
        require(!unstorable->rule.empty() && is_valid_utf8(unstorable->rule), "a refusal is text");
    if (!compiled) return 0;
    require(compiled->memory_bytes() > 0, "it takes memory");
    if (const auto value = parse(value_text)) check_verdicts(*compiled, object, *value);
    check_verdicts(*compiled, object, example);
    return 0;
}
