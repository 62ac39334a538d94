// An endpoint's filter and a payload. What a filter wants does not depend on how filter or payload are
// written, on members that it does not name, or on being said twice; what is wrong with one is where the
// error says.
#include <boost/json.hpp>

#include "check.hpp"
#include "domain/payload_filter.hpp"

using namespace posthorn;
using fuzz::require;
namespace json = boost::json;

namespace {

std::optional<json::value> parse(std::string_view text) {
    boost::system::error_code error;
    auto value = json::parse({text.data(), text.size()}, error);
    if (error) return std::nullopt;
    return value;
}

// Boost reads a decimal number up to 4e-16 wrong: one that is written anew may be another.
bool has_decimal(const json::value& value) {
    if (const auto* array = value.if_array()) return std::any_of(array->begin(), array->end(), has_decimal);
    if (const auto* object = value.if_object())
        return std::any_of(object->begin(), object->end(),
                           [](const auto& member) { return has_decimal(member.value()); });
    return value.is_double();
}

std::optional<domain::PayloadFilter> filter_of(const json::object& object) {
    auto parsed = domain::PayloadFilter::parse(object);
    if (auto* filter = std::get_if<domain::PayloadFilter>(&parsed)) return std::move(*filter);
    return std::nullopt;
}

void check_error(const domain::FilterError& error, const json::value& filter) {
    require(!error.rule.empty(), "an error names the rule");
    const auto* at = &filter;
    for (const auto& step : error.pointer) {
        if (const auto* object = at->if_object())
            at = object->if_contains(step);
        else if (const auto* array = at->if_array())
            at = array->if_contains(std::stoul(step));
        else
            at = nullptr;
        require(at != nullptr, "an error says where");
    }
}

void check_rewritten(const domain::PayloadFilter& filter, const json::object& written,
                     const json::value& payload, std::string_view text) {
    if (has_decimal(written) || has_decimal(payload)) return;
    const auto again = filter_of(parse(json::serialize(written))->get_object());
    require(again.has_value(), "a filter can be stored and read");
    const bool matches = filter.matches(text);
    require(again->matches(text) == matches, "and stays the same");
    require(filter.matches(json::serialize(payload)) == matches, "a payload matches however it is written");
}

void check_one_member_more(const domain::PayloadFilter& filter, const json::object& written,
                           const json::value& payload, std::string_view text) {
    const std::string name = "not in any filter";
    if (!payload.is_object() || json::serialize(written).find(name) != std::string::npos) return;
    std::string longer(text.substr(0, text.rfind('}')));
    longer += (payload.get_object().empty() ? "\"" : ",\"") + name + "\":[{},1,\"\"]}";
    require(filter.matches(longer) == filter.matches(text), "what no filter names does not count");
}

void check_said_twice(const domain::PayloadFilter& filter, const json::object& written,
                      std::string_view text) {
    const auto twice = filter_of({{"$or", {written, written}}});
    if (twice)
        require(twice->matches(text) == filter.matches(text), "either of two equal filters is the filter");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto payload_text = fuzz::text_of(data, size);
    const auto written = parse(fuzz::take_part(payload_text));
    if (!written || !written->is_object()) return 0;
    const auto& object = written->get_object();
    const auto parsed = domain::PayloadFilter::parse(object);
    if (const auto* error = std::get_if<domain::FilterError>(&parsed)) {
        check_error(*error, *written);
        return 0;
    }
    const auto& filter = std::get<domain::PayloadFilter>(parsed);
    const auto payload = parse(payload_text);
    if (!payload) {
        filter.matches(payload_text);
        return 0;
    }
    check_rewritten(filter, object, *payload, payload_text);
    check_one_member_more(filter, object, *payload, payload_text);
    check_said_twice(filter, object, payload_text);
    return 0;
}
