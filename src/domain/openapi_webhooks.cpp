#include "domain/openapi_webhooks.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <map>
#include <set>

#include "domain/json_pointer.hpp"

namespace posthorn::domain {

namespace json = boost::json;

namespace {

using Path = std::vector<std::string>;

constexpr std::string_view components_prefix = "#/components/schemas/";
constexpr std::string_view definitions_prefix = "#/definitions/";
constexpr std::size_t text_bytes_a_value = 64;  // a long text counts as several
constexpr int longest_chain = 8;                // references that lead to references

// Where a schema holds schemas: as a value, as a list, as an object's members.
constexpr std::array single_keywords{
    "items",         "additionalItems",  "additionalProperties", "not", "if", "then", "else", "contains",
    "propertyNames", "unevaluatedItems", "unevaluatedProperties"};
constexpr std::array list_keywords{"allOf", "anyOf", "oneOf", "prefixItems", "items"};
constexpr std::array map_keywords{"properties", "patternProperties", "definitions",
                                  "$defs",      "dependencies",      "dependentSchemas"};

template <std::size_t n>
bool is_one_of(std::string_view keyword, const std::array<const char*, n>& keywords) {
    return std::find(keywords.begin(), keywords.end(), keyword) != keywords.end();
}

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }
std::string_view view(json::string_view text) { return {text.data(), text.size()}; }

std::optional<std::string> text_at(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    if (value == nullptr || !value->is_string()) return std::nullopt;
    return std::string(view(value->get_string()));
}

Path operator+(Path path, std::string_view step) {
    path.emplace_back(step);
    return path;
}

struct TooLarge {};

// What OpenAPI 3.0 calls `nullable`, and draft 4's exclusive limits, as JSON Schema has them since.
void modernise(json::object& schema) {
    if (const auto* nullable = schema.if_contains("nullable"); nullable != nullptr && nullable->is_bool()) {
        const bool may_be_null = nullable->get_bool();
        schema.erase("nullable");
        if (auto* type = schema.if_contains("type"); may_be_null && type != nullptr && type->is_string()) {
            *type = json::array{*type, "null"};
            auto* choices = schema.if_contains("enum");
            if (choices != nullptr && choices->is_array()) {
                auto& list = choices->get_array();
                if (std::find(list.begin(), list.end(), json::value(nullptr)) == list.end())
                    list.push_back(nullptr);
            }
        }
    }
    for (const auto& [exclusive, limit] :
         {std::pair{"exclusiveMinimum", "minimum"}, {"exclusiveMaximum", "maximum"}}) {
        const auto* given = schema.if_contains(exclusive);
        if (given == nullptr || !given->is_bool()) continue;
        const bool is_exclusive = given->get_bool();
        schema.erase(exclusive);
        const auto* value = schema.if_contains(limit);
        if (!is_exclusive || value == nullptr) continue;
        schema[exclusive] = *value;
        schema.erase(limit);
    }
}

// Makes schemas that stand by themselves out of those of a document.
class Bundler {
public:
    Bundler(const json::value& document, bool siblings_count, std::vector<OpenApiProblem>& problems)
        : document_(document), siblings_count_(siblings_count), problems_(problems) {}

    // Throws TooLarge when all that was made is.
    void count(std::string_view text) {
        const auto values = 1 + text.size() / text_bytes_a_value;
        if (values > values_left_) throw TooLarge{};
        values_left_ -= values;
    }
    void count_all(const json::value& value) {
        const auto* text = value.if_string();
        count(text == nullptr ? std::string_view() : view(*text));
        if (const auto* array = value.if_array())
            for (const auto& item : *array) count_all(item);
        if (const auto* object = value.if_object())
            for (const auto& member : *object) {
                count(view(member.key()));
                count_all(member.value());
            }
    }

    json::object bundle(const json::value& schema, const Path& at) {
        wanted_.clear();
        auto root = rewritten(schema, at);
        for (int i = 0; i < longest_chain; ++i) {
            const auto target = target_of_bare_reference(root);
            if (!target) break;
            root = *target;
        }
        json::object definitions;
        std::set<std::string> done;
        while (!wanted_.empty()) {
            const auto name = wanted_.begin()->first;
            const auto from = wanted_.begin()->second;
            wanted_.erase(wanted_.begin());
            if (!done.insert(name).second) continue;
            const auto found = find_referenced(document_, std::string(components_prefix) + name);
            if (found.value == nullptr)
                problems_.push_back(
                    {from, fmt::format("refers to {}{}, which is not there", components_prefix, name)});
            else
                definitions[found.steps.back()] = rewritten(*found.value, found.steps);
        }
        auto object = root.is_object() ? std::move(root.get_object()) : json::object{{"not", json::object()}};
        if (root.is_bool() && root.get_bool()) object.clear();
        if (!definitions.empty()) object["definitions"] = std::move(definitions);
        return object;
    }

private:
    // {"$ref": ...} at the very top says less than what it refers to.
    std::optional<json::value> target_of_bare_reference(const json::value& root) {
        const auto* object = root.if_object();
        if (object == nullptr || object->size() != 1) return std::nullopt;
        const auto reference = text_at(*object, "$ref");
        if (!reference || !reference->starts_with(definitions_prefix)) return std::nullopt;
        const auto found = find_referenced(
            document_, std::string(components_prefix) + reference->substr(definitions_prefix.size()));
        if (found.value == nullptr) return std::nullopt;
        wanted_.clear();
        return rewritten(*found.value, found.steps);
    }

    json::value rewritten(const json::value& schema, const Path& at) {
        const auto* given = schema.if_object();
        if (given == nullptr) {
            count_all(schema);
            return schema;
        }
        count("");
        if (const auto reference = text_at(*given, "$ref"))
            return rewritten_reference(*given, *reference, at);
        json::object object;
        for (const auto& [key, value] : *given) {
            count(view(key));
            object[key] = rewritten_member(view(key), value, at);
        }
        modernise(object);
        return object;
    }

    json::value rewritten_member(std::string_view keyword, const json::value& value, const Path& at) {
        if (is_one_of(keyword, list_keywords) && value.is_array()) {
            json::array list;
            for (const auto& item : value.get_array())
                list.push_back(rewritten(item, at + keyword + std::to_string(list.size())));
            return list;
        }
        if (is_one_of(keyword, map_keywords) && value.is_object()) {
            json::object map;
            for (const auto& [name, item] : value.get_object()) {
                count(view(name));
                if (item.is_array()) count_all(item);
                map[name] = item.is_array() ? item : rewritten(item, at + keyword + view(name));
            }
            return map;
        }
        if (is_one_of(keyword, single_keywords)) return rewritten(value, at + keyword);
        count_all(value);
        return value;
    }

    json::value rewritten_reference(const json::object& given, const std::string& reference, const Path& at) {
        if (!reference.starts_with(components_prefix)) {
            problems_.push_back(
                {at + "$ref", fmt::format("must begin with {} to be imported", components_prefix)});
            return json::object();
        }
        const auto rest = reference.substr(components_prefix.size());
        wanted_.emplace(rest.substr(0, rest.find('/')), at + "$ref");
        const json::object bare{{"$ref", std::string(definitions_prefix) + rest}};
        if (given.size() == 1 || !siblings_count_) return bare;
        auto beside = given;
        beside.erase("$ref");
        auto object = rewritten(beside, at);
        auto& all = object.get_object()["allOf"];
        if (!all.is_array()) all = json::array();
        all.get_array().push_back(bare);
        return object;
    }

    const json::value& document_;
    const bool siblings_count_;  // since 3.1
    std::vector<OpenApiProblem>& problems_;
    std::map<std::string, Path> wanted_;  // schemas of the document that were referred to, and from where
    std::size_t values_left_ = most_openapi_values;
};

class Reader {
public:
    explicit Reader(const json::value& document)
        : document_(document), bundler_(document, version() != "3.0", problems_) {}

    std::variant<std::vector<OpenApiWebhook>, std::vector<OpenApiProblem>> run() {
        if (version().empty())
            return std::vector<OpenApiProblem>{{{"openapi"}, "must be 3.0 or later, as OpenAPI writes it"}};
        bool any = false;
        try {
            for (const auto* field : {"webhooks", "x-webhooks"}) any |= read_all(field);
        } catch (const TooLarge&) {
            problems_.push_back(
                {{},
                 fmt::format("its webhooks with all that they refer to must have at most {} values",
                             most_openapi_values)});
        }
        if (!any && problems_.empty()) problems_.push_back({{}, "must have `webhooks` or `x-webhooks`"});
        if (!problems_.empty()) return std::move(problems_);
        std::sort(webhooks_.begin(), webhooks_.end(),
                  [](const auto& a, const auto& b) { return a.name < b.name; });
        return std::move(webhooks_);
    }

private:
    // "3.0", "3.1"; empty for what is no OpenAPI 3.
    std::string version() const {
        const auto* object = document_.if_object();
        const auto given = object == nullptr ? std::nullopt : text_at(*object, "openapi");
        if (!given || !given->starts_with("3.")) return "";
        return given->substr(0, given->find('.', 2));
    }

    bool read_all(const char* field) {
        const auto* all = document_.get_object().if_contains(field);
        if (all == nullptr || all->is_null()) return false;
        if (!all->is_object()) {
            problems_.push_back({{field}, "must be an object"});
            return true;
        }
        for (const auto& [name, item] : all->get_object()) {
            const Path at{field, std::string(name)};
            if (webhooks_.size() == most_openapi_webhooks) {
                problems_.push_back(
                    {{field}, fmt::format("at most {} webhooks can be imported", most_openapi_webhooks)});
                return true;
            }
            read_one(std::string(name), item, at);
        }
        return true;
    }

    void read_one(std::string name, const json::value& given, const Path& at) {
        const auto* item = resolve(given, at);
        if (item == nullptr) return;
        const json::object* operation = nullptr;
        for (const auto* method : {"post", "put", "patch", "get", "delete"})
            if (const auto* found = item->if_contains(method); operation == nullptr && found != nullptr)
                operation = found->if_object();
        if (operation == nullptr)
            return problems_.push_back({at, "must have an operation, `post` for example"});
        if (std::any_of(webhooks_.begin(), webhooks_.end(),
                        [&](const auto& other) { return other.name == name; }))
            return problems_.push_back({at, "is there twice"});
        OpenApiWebhook webhook;
        webhook.name = std::move(name);
        for (const auto* holder : {operation, item})
            for (const auto* field : {"description", "summary"})
                if (webhook.description.empty()) webhook.description = text_at(*holder, field).value_or("");
        const auto* deprecated = operation->if_contains("deprecated");
        webhook.deprecated = deprecated != nullptr && deprecated->is_bool() && deprecated->get_bool();
        webhook.feature_flag = feature_flag(*operation);
        webhook.group = text_at(*operation, "x-svix-group-name");
        webhook.schema = schema_of(*operation, at);
        webhooks_.push_back(std::move(webhook));
    }

    static std::optional<std::string> feature_flag(const json::object& operation) {
        if (auto flag = text_at(operation, "x-svix-feature-flag")) return flag;
        const auto* flags = operation.if_contains("x-svix-feature-flags");
        if (flags == nullptr) return std::nullopt;
        if (flags->is_string()) return std::string(view(flags->get_string()));
        const auto* list = flags->if_array();
        if (list == nullptr || list->empty() || !list->front().is_string()) return std::nullopt;
        return std::string(view(list->front().get_string()));
    }

    std::optional<json::object> schema_of(const json::object& operation, const Path& at) {
        const auto* given = operation.if_contains("requestBody");
        const auto* body = given == nullptr ? nullptr : resolve(*given, at + "requestBody");
        const auto* content = body == nullptr ? nullptr : body->if_contains("content");
        if (content == nullptr || !content->is_object()) return std::nullopt;
        for (const auto& [type, media] : content->get_object()) {
            if ((type != "application/json" && !type.ends_with("+json")) || !media.is_object()) continue;
            const auto* schema = media.get_object().if_contains("schema");
            if (schema == nullptr) return std::nullopt;
            const auto place = at + "requestBody" + "content" + std::string_view(type) + "schema";
            auto bundled = bundler_.bundle(*schema, place);
            add_examples(media.get_object(), bundled);
            return bundled;
        }
        return std::nullopt;
    }

    void add_examples(const json::object& media, json::object& schema) {
        if (schema.contains("example") || schema.contains("examples")) return;
        if (const auto* example = media.if_contains("example")) {
            bundler_.count_all(*example);
            schema["example"] = *example;
        }
        const auto* examples = media.if_contains("examples");
        if (examples == nullptr || !examples->is_object()) return;
        json::array values;
        for (const auto& [name, example] : examples->get_object()) {
            const auto* object = resolve(example, {"examples", std::string(name)});
            const auto* value = object == nullptr ? nullptr : object->if_contains("value");
            if (value == nullptr) continue;
            bundler_.count_all(*value);
            values.push_back(*value);
        }
        if (!values.empty()) schema["examples"] = std::move(values);
    }

    // The object, or the one that it refers to; nullptr, and a problem, if there is none.
    const json::object* resolve(const json::value& given, const Path& at) {
        const auto* value = &given;
        for (int i = 0; i <= longest_chain && value != nullptr && value->is_object(); ++i) {
            const auto reference = text_at(value->get_object(), "$ref");
            if (!reference) return &value->get_object();
            value = find_referenced(document_, *reference).value;
        }
        problems_.push_back({at, "must be an object, or refer to one of the document"});
        return nullptr;
    }

    const json::value& document_;
    std::vector<OpenApiProblem> problems_;
    std::vector<OpenApiWebhook> webhooks_;
    Bundler bundler_;
};

}  // namespace

std::variant<std::vector<OpenApiWebhook>, std::vector<OpenApiProblem>> read_openapi_webhooks(
    const json::value& document) {
    return Reader(document).run();
}

}  // namespace posthorn::domain
