#include "schema_values.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <limits>

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/timestamp.hpp"

namespace posthorn::test {

namespace json = boost::json;

namespace {

constexpr int deepest = 6;               // of what refers to itself, such as filters
constexpr double optional_member = 0.3;  // how likely it is there
constexpr double at_a_bound = 0.06;
constexpr double as_its_example = 0.1;  // whose members fit together, as made-up ones may not
constexpr std::size_t longest_made = 5'000;
constexpr std::string_view name_characters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
constexpr std::array<std::string_view, 4> event_types{"fuzz.created", "fuzz.deleted", "order.paid", "x"};
constexpr std::array<std::string_view, 4> channels{"project_1", "project-2", "c", "a.b.c"};
constexpr std::array<std::string_view, 7> words{"a",
                                                "Posthorn",
                                                "two words",
                                                "\xC3\xA4\xC3\xB6\xC3\xBC \xE2\x9C\x93",
                                                "\xF0\x9F\x93\xAF",
                                                "'; DROP TABLE message; --",
                                                "{\"a\":[1]}"};

std::optional<std::int64_t> number_at(const json::object& schema, std::string_view name) {
    const auto* value = schema.if_contains(name);
    return value == nullptr ? std::nullopt : std::optional(value->to_number<std::int64_t>());
}

std::string_view text_at(const json::object& schema, std::string_view name) {
    const auto* value = schema.if_contains(name);
    return value == nullptr || !value->is_string() ? std::string_view()
                                                   : std::string_view(value->get_string());
}

const json::object* object_at(const json::object& schema, std::string_view name) {
    const auto* value = schema.if_contains(name);
    return value == nullptr ? nullptr : value->if_object();
}

// Repeated to that many bytes, all of them whole characters.
std::string stretched(std::string_view word, std::size_t length) {
    std::string text;
    while (text.size() + word.size() <= length) text += word;
    return text + std::string(length - text.size(), 'x');
}

bool is_null_only(const json::object& schema) { return text_at(schema, "type") == "null"; }

}  // namespace

JsonDraft SchemaValues::value(const json::object& reference, std::string_view name) {
    const auto& schema = description_.resolved(reference);
    if (const auto* constant = schema.if_contains("const")) return JsonDraft::raw(json::serialize(*constant));
    if (const auto* words_allowed = schema.if_contains("enum"))
        return JsonDraft::raw(dice_.chance(beyond_)
                                  ? "\"no-such-word\""
                                  : json::serialize(dice_.one_of(words_allowed->as_array())));
    const auto* type = schema.if_contains("type");
    if (type == nullptr || text_at(schema, "type") != "object")
        for (const auto* choice : {"anyOf", "oneOf"})
            if (const auto* branches = schema.if_contains(choice)) {
                const auto& list = branches->as_array();
                const auto& branch = depth_ > deepest ? list.front() : dice_.one_of(list);
                return value(branch.as_object(), name);
            }
    if (type == nullptr) return any_object();
    if (const auto* types = type->if_array()) {
        const auto chosen = dice_.below(types->size() * 2);  // the first is the usual one
        return of_type(schema, (*types)[chosen < types->size() ? chosen : 0].as_string(), name);
    }
    return of_type(schema, type->as_string(), name);
}

JsonDraft SchemaValues::of_type(const json::object& schema, std::string_view type, std::string_view name) {
    if (type == "null") return {};
    if (type == "boolean")
        return JsonDraft::raw(dice_.chance(name == "disabled" ? 0.15 : 0.5) ? "true" : "false");
    if (type == "integer" || type == "number") return number(schema, name);
    if (type == "string") return JsonDraft::raw(json_string(text(schema, name)));
    if (type == "array") return array(schema, name);
    return object(schema);
}

JsonDraft SchemaValues::number(const json::object& schema, std::string_view name) {
    const auto lowest = number_at(schema, "minimum").value_or(-1'000'000);
    const auto highest = number_at(schema, "maximum").value_or(1'000'000);
    const bool beyond = dice_.chance(beyond_), bound = dice_.chance(at_a_bound), low = dice_.chance(0.5);
    const auto within =
        dice_.between(lowest, name == "limit" ? std::min<std::int64_t>(highest, 20) : highest);
    if (beyond) return JsonDraft::raw(fmt::format("{}", low ? lowest - 1 : highest + 1));
    if (bound) return JsonDraft::raw(fmt::format("{}", low ? lowest : highest));
    if (text_at(schema, "type") != "integer" && dice_.chance(0.3))
        return JsonDraft::raw(fmt::format("{}.5e-1", within));
    return JsonDraft::raw(fmt::format("{}", within));
}

std::size_t SchemaValues::length(const json::object& schema, std::string_view least, std::string_view most,
                                 std::size_t usual) {
    const auto lowest = static_cast<std::size_t>(number_at(schema, least).value_or(0));
    const auto highest = std::min<std::size_t>(
        static_cast<std::size_t>(number_at(schema, most).value_or(static_cast<std::int64_t>(usual))),
        longest_made);
    const bool beyond = dice_.chance(beyond_), bound = dice_.chance(at_a_bound), low = dice_.chance(0.7);
    const auto within = lowest + dice_.below(std::max<std::size_t>(std::min(highest - lowest, usual), 1));
    if (beyond) return low && lowest > 0 ? lowest - 1 : highest + 1;
    return bound ? (low ? lowest : highest) : within;
}

JsonDraft SchemaValues::array(const json::object& schema, std::string_view name) {
    auto draft = JsonDraft::array();
    const auto* items = object_at(schema, "items");
    const auto count = length(schema, "minItems", "maxItems", 3);
    ++depth_;
    for (std::size_t i = 0; i < count; ++i) {
        auto item = items ? value(*items, name) : JsonDraft::raw(fmt::format("{}", i));
        // Lists hold each only once: a long one needs made-up names.
        const auto same = [&](const JsonDraft& other) { return other.text() == item.text(); };
        if (item.kind == JsonDraft::Kind::scalar &&
            std::any_of(draft.items.begin(), draft.items.end(), same)) {
            if (!item.scalar.starts_with('"') || items->contains("enum")) continue;
            item = JsonDraft::raw(json_string(fmt::format("made.{}", i)));
        }
        draft.items.push_back(std::move(item));
    }
    --depth_;
    return draft;
}

JsonDraft SchemaValues::object(const json::object& schema) {
    if (depth_ > deepest) return JsonDraft::object();
    const auto* example = object_at(schema, "example");
    const bool leads_elsewhere = example != nullptr && example->contains("url");
    if (example != nullptr && !leads_elsewhere && dice_.chance(as_its_example))
        return JsonDraft::raw(json::serialize(*example));
    ++depth_;
    auto draft = JsonDraft::object();
    if (const auto* properties = object_at(schema, "properties"))
        for (const auto& [name, property] : *properties) {
            const auto* required = schema.if_contains("required");
            const bool needed =
                required != nullptr && std::find(required->as_array().begin(), required->as_array().end(),
                                                 json::value(name)) != required->as_array().end();
            const bool there = dice_.chance(optional_member), left_out = dice_.chance(beyond_ / 2);
            if (needed ? !left_out : there) draft.set(name, value(property.as_object(), name));
        }
    add_free_members(schema, draft);
    add_choices(schema, schema, draft);
    --depth_;
    return draft;
}

// Those of a map: their names are free.
void SchemaValues::add_free_members(const json::object& schema, JsonDraft& draft) {
    const auto* values = schema.if_contains("additionalProperties");
    if (values == nullptr || !values->is_object()) {
        if (values == nullptr && !schema.contains("properties")) draft = any_object();
        return;
    }
    const auto* names = object_at(schema, "propertyNames");
    const auto count = length(schema, "minProperties", "maxProperties", 3);
    for (std::size_t i = 0; i < count; ++i) {
        const auto name = names ? text(*names, "") : fmt::format("{}", i + 1);
        draft.set(name.empty() || dice_.chance(0.5) ? fmt::format("key{}", i) : name,
                  value(values->get_object(), ""));
    }
}

void SchemaValues::add_choices(const json::object& schema, const json::object& base, JsonDraft& draft) {
    for (const auto* choice : {"anyOf", "oneOf"})
        if (const auto* branches = schema.if_contains(choice)) {
            const auto& list = branches->as_array();
            const auto& chosen = dice_.one_of(list);
            if (std::string_view(choice) == "oneOf")
                for (const auto& branch : list)
                    if (const auto* required = branch.as_object().if_contains("required"))
                        for (const auto& name : required->as_array()) draft.erase(name.as_string());
            take_branch(chosen.as_object(), base, draft);
        }
    if (const auto* all = schema.if_contains("allOf"))
        for (const auto& part : all->as_array()) add_choices(part.as_object(), base, draft);
}

void SchemaValues::take_branch(const json::object& branch, const json::object& base, JsonDraft& draft) {
    const auto* refined = object_at(branch, "properties");
    if (refined != nullptr)
        for (const auto& [name, property] : *refined)
            if (is_null_only(property.as_object())) draft.erase(name);
    const auto* required = branch.if_contains("required");
    if (required == nullptr) return;
    for (const auto& entry : required->as_array()) {
        const std::string_view name = entry.as_string();
        const auto* property = refined ? refined->if_contains(name) : nullptr;
        if (property == nullptr) property = base.at("properties").as_object().if_contains(name);
        if (property != nullptr) draft.set(name, value(property->as_object(), name));
    }
}

// A payload, a JSON Schema: whatever an object may hold.
JsonDraft SchemaValues::any_object() {
    static const std::vector<std::string> texts{
        R"({})",
        R"({"a":1})",
        R"({"amount":10.50,"currency":"EUR"})",
        R"({"type":"object","properties":{"id":{"type":"string"},"n":{"type":"integer","minimum":1}}})",
        R"({"nested":{"list":[1,2,{"x":null}],"t":true}})",
        "{\"\xC3\xA4\":\"\\u00e4\\ud83d\\udcef\"}",
        R"({"n":123456789012345678901234567890,"e":1e-7,"z":-0.0})",
        R"({"a":1,"a":2})",
        R"({"type":"object","required":["id"],"examples":[{"id":"1"}],"properties":{"id":{"type":["string","null"]}}})"};
    return JsonDraft::raw(dice_.one_of(texts));
}

std::vector<std::string> SchemaValues::texts(const json::object& schema, std::string_view name) {
    const auto type = text_at(schema, "type");
    if (type == "string" && !schema.contains("enum")) return {text(schema, name)};
    if (type == "array") {
        std::vector<std::string> list;
        const auto count = length(schema, "minItems", "maxItems", 3);
        for (std::size_t i = 0; i < std::min<std::size_t>(count, 80); ++i)
            list.push_back(text(*object_at(schema, "items"), name));
        return list;
    }
    auto text = value(schema, name).text();
    if (text.starts_with('"')) text = text.substr(1, text.size() - 2);
    return {text};
}

std::string SchemaValues::text(const json::object& schema, std::string_view name) {
    const bool beyond = dice_.chance(beyond_);
    if (const auto format = text_at(schema, "format"); !beyond && format == "date-time") return time(name);
    if (const auto format = text_at(schema, "format"); !beyond && format == "uri") return url();
    auto by_name = text_by_name(name);
    if (!beyond && !by_name.empty()) return by_name;
    const auto size = length(schema, "minLength", "maxLength", 12);
    return text_by_pattern(text_at(schema, "pattern"), size);
}

std::string SchemaValues::known_id(std::string_view parameter) {
    if (const auto own = place_.find(parameter); own != place_.end() && dice_.chance(0.3)) return own->second;
    std::vector<std::string_view> wanted{parameter};
    const auto chosen = known_.choose(wanted, dice_);
    const auto found = chosen.find(parameter);
    return found == chosen.end() ? "nobody" : found->second;
}

// What a member of that name refers to; empty where that is nothing in particular.
std::string SchemaValues::text_by_name(std::string_view name) {
    if (name == "eventType" || name == "eventTypes" || name == "filterTypes" || name == "event_types" ||
        name == "addEventTypes" || name == "removeEventTypes")
        return dice_.chance(0.2) ? known_id("event_type_name") : std::string(dice_.one_of(event_types));
    if (name == "channel" || name == "channels" || name == "tag" || name == "tags")
        return std::string(dice_.one_of(channels));
    if (name == "endpointId" || name == "endpointIds" || name == "endpoint_id")
        return known_id("endpoint_id");
    if (name == "applicationId" || name == "appIds" || name == "application") return known_id("app_id");
    if (name == "subject") return known_id("endpoint_id");
    if (name == "uid" || name == "eventId") return fmt::format("name-{}", dice_.below(5'000));
    if (name == "name") return fmt::format("fuzz.made.{}", dice_.below(200));
    if (name == "Idempotency-Key") return fmt::format("key-{}", dice_.below(2'000));
    if (name == "action") return "endpoint.update";
    if (name == "actor") return "jwt";
    if (name == "task") return "endpoint.recover";
    if (name == "cidr") return "10.0.0.0/8";
    return {};
}

std::string SchemaValues::text_by_pattern(std::string_view pattern, std::size_t length) {
    std::string text;
    if (pattern.find("whsec_") != std::string_view::npos) {
        for (std::size_t i = 0; i < 24 + length % 52; ++i) text += static_cast<char>(dice_.below(256));
        return "whsec_" + base64_encode(text);
    }
    if (pattern.find("\\x21-\\x7e]([") != std::string_view::npos)  // a header's value
        return stretched(dice_.one_of(std::array<std::string_view, 3>{"value", "a=b; c", "x"}), length);
    if (pattern.find("a-z") != std::string_view::npos || pattern.find("A-Za-z") != std::string_view::npos) {
        for (std::size_t i = 0; i < length; ++i) text += dice_.character(name_characters);
        return text;
    }
    return stretched(dice_.one_of(words), length);
}

// Times that answer something: around now, sometimes anywhere.
std::string SchemaValues::time(std::string_view name) {
    using std::chrono::seconds;
    const auto now = RealClock().system_now();
    const auto back = seconds(dice_.between(10, 3'000)), ahead = seconds(dice_.between(10, 3'000));
    const auto anywhere = SystemTime(seconds(dice_.between(0, 253'402'300'799)));
    if (dice_.chance(0.05)) return format_timestamp(anywhere);
    const bool early = name == "since" || name == "after";
    const bool at_once = name == "deliverAt";
    return format_timestamp(early ? now - back : (at_once && dice_.chance(0.5) ? now : now + ahead));
}

std::string SchemaValues::url() {
    const std::vector<std::string> urls{
        receivers_.good + "/204", receivers_.good + "/200",        receivers_.good + "/binary",
        receivers_.good + "/410", receivers_.good + "/500",        receivers_.good + "/429?a=b#fragment",
        receivers_.closed,        receivers_.closed + "/path%20x", "HTTP://subscriber.invalid:81/",
        "https://127.0.0.1:1/"};
    return dice_.one_of(urls);
}

}  // namespace posthorn::test
