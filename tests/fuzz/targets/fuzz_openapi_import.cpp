// An OpenAPI document in YAML or JSON, as event types are imported from. YAML is read within its limits and,
// written as JSON, is the same document; the schemas that come out can be looked at by all that schemas are
// used for.
#include <boost/json.hpp>
#include <set>

#include "base/encoding.hpp"
#include "check.hpp"
#include "domain/json_pointer.hpp"
#include "domain/json_schema.hpp"
#include "domain/openapi_webhooks.hpp"
#include "domain/schema_example.hpp"
#include "json/yaml.hpp"

using namespace posthorn;
using fuzz::require;

namespace {

constexpr json::YamlLimits limits{.depth = 32, .values = 2'000};

std::size_t values_of(const boost::json::value& value) {
    std::size_t count = 1;
    if (const auto* array = value.if_array())
        for (const auto& item : *array) count += values_of(item);
    if (const auto* object = value.if_object())
        for (const auto& member : *object) count += values_of(member.value());
    return count;
}

std::size_t levels_of(const boost::json::value& value) {
    std::size_t below = 0;
    if (const auto* array = value.if_array())
        for (const auto& item : *array) below = std::max(below, levels_of(item));
    if (const auto* object = value.if_object())
        for (const auto& member : *object) below = std::max(below, levels_of(member.value()));
    return (value.is_structured() ? 1 : 0) + below;
}

// All that YAML lets stand as it is: without the ends of lines that JSON does not know, and the escapes that
// YAML does not.
bool is_plain(std::string_view json_text) {
    return json_text.size() < 1'000 && json_text.find("\\u") == std::string_view::npos &&
           std::all_of(json_text.begin(), json_text.end(), [](char c) { return c >= ' ' && c < '\x7f'; });
}

boost::json::value read_yaml(std::string_view text) {
    auto parsed = json::parse_yaml(text, limits);
    if (const auto* error = std::get_if<std::string>(&parsed)) {
        require(!error->empty() && is_valid_utf8(*error), "what is wrong with it is text");
        return {};
    }
    auto& value = std::get<boost::json::value>(parsed);
    require(values_of(value) <= limits.values && levels_of(value) <= limits.depth,
            "YAML is within its limits");
    const auto written = boost::json::serialize(value);
    const auto again = json::parse_yaml(written, {limits.depth, 2 * limits.values + 2 * written.size()});
    const auto* same = std::get_if<boost::json::value>(&again);
    if (is_plain(written)) require(same != nullptr && *same == value, "JSON is YAML, and the same document");
    return std::move(value);
}

void check_webhook(const domain::OpenApiWebhook& webhook) {
    if (!webhook.schema) return;
    domain::example_of(*webhook.schema);
    const auto problem = domain::JsonSchema::find_problem(*webhook.schema);
    if (problem) {
        const auto found = domain::find_referenced(*webhook.schema, "#" + problem->pointer);
        require(!problem->rule.empty() && (problem->pointer.empty() || problem->pointer.starts_with('/')),
                "a problem has a rule and a place");
        (void)found;
    } else {
        (void)domain::JsonSchema::compile(*webhook.schema);
    }
}

void check_document(const boost::json::value& document) {
    const auto read = domain::read_openapi_webhooks(document);
    if (const auto* problems = std::get_if<std::vector<domain::OpenApiProblem>>(&read)) {
        require(!problems->empty(), "a refusal says why");
        for (const auto& problem : *problems) require(!problem.rule.empty(), "each with its rule");
        return;
    }
    std::set<std::string> names;
    for (const auto& webhook : std::get<std::vector<domain::OpenApiWebhook>>(read)) {
        require(names.insert(webhook.name).second, "a name is there once");
        check_webhook(webhook);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = fuzz::text_of(data, size);
    const auto document = read_yaml(text);
    check_document(document);
    boost::json::parse_options options;
    options.max_depth = limits.depth;
    boost::system::error_code error;
    const auto as_json = boost::json::parse({text.data(), text.size()}, error, {}, options);
    if (!error) check_document(as_json);
    return 0;
}
