#include "support/api_contract.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>
#include <fmt/format.h>
#include <map>
#include <stdexcept>
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>
#include <vector>

#include "admin-api/api_document.hpp"

namespace posthorn::test {

namespace json = boost::json;

namespace {

using Adapter = valijson::adapters::BoostJsonAdapter;

std::vector<std::string_view> segments_of(std::string_view path) {
    path = path.substr(0, path.find('?'));
    if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
    std::vector<std::string_view> segments;
    while (!path.empty()) {
        path.remove_prefix(1);
        const auto end = std::min(path.find('/'), path.size());
        segments.push_back(path.substr(0, end));
        path.remove_prefix(end);
    }
    return segments;
}

// How many segments are literally the same; nothing if the path isn't one of the pattern's.
std::optional<int> likeness(std::string_view pattern, const std::vector<std::string_view>& path) {
    const auto wanted = segments_of(pattern);
    if (wanted.size() != path.size()) return std::nullopt;
    int same = 0;
    for (std::size_t i = 0; i < path.size(); ++i) {
        if (wanted[i] == path[i])
            ++same;
        else if (!wanted[i].starts_with('{') || path[i].empty())
            return std::nullopt;
    }
    return same;
}

// valijson takes what isn't a string for one when it looks at a format: {type: [string, null], format}
// becomes a choice. Behind a recursive reference its version 1.0.4 takes no name for right by propertyNames.
void adapt_to_valijson(json::value& value) {
    if (auto* array = value.if_array())
        for (auto& item : *array) adapt_to_valijson(item);
    auto* object = value.if_object();
    if (object == nullptr) return;
    object->erase("propertyNames");
    for (auto& member : *object) adapt_to_valijson(member.value());
    const auto* type = object->if_contains("type");
    if (!object->contains("format") || type == nullptr || !type->is_array()) return;
    json::object text = *object;
    text["type"] = "string";
    value = {{"anyOf", {{{"type", "null"}}, std::move(text)}}};
}

json::value read_document() {
    auto document = json::parse(admin::api_document());
    adapt_to_valijson(document);
    return document;
}

class Contract {
public:
    void check(std::string_view method, std::string_view path, int status, std::string_view body) {
        const auto* operation = find(method, path);
        if (operation == nullptr) {
            if (status == 404 || status == 405 || status == 400) return;
            throw std::runtime_error("the document does not have it");
        }
        if (status == 500) return validate(error_, json::parse(body));
        const auto& response = response_of(*operation, status);
        const auto* content = response.if_contains("content");
        if (content == nullptr) {
            if (!body.empty()) throw std::runtime_error("a body where the document has none");
            return;
        }
        const auto* media = content->as_object().if_contains("application/json");
        if (media != nullptr) validate(media->at("schema"), json::parse(body));
    }

    void check_webhook(std::string_view payload) {
        const auto body = json::parse(payload);
        const auto& webhooks = document_.at("webhooks").as_object();
        const auto& request = webhooks.at(body.at("type").as_string()).at("post").at("requestBody");
        validate(request.at("content").at("application/json").at("schema"), body);
    }

    std::set<std::string> operations() const {
        std::set<std::string> names;
        for (const auto& [path, item] : document_.at("paths").as_object())
            for (const auto& member : item.as_object()) {
                std::string method(member.key());
                std::transform(method.begin(), method.end(), method.begin(),
                               [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
                names.insert(method + " " + std::string(path));
            }
        return names;
    }

private:
    const json::object* find(std::string_view method, std::string_view path) const {
        std::string verb(method);
        std::transform(verb.begin(), verb.end(), verb.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        const auto segments = segments_of(path);
        const json::object* best = nullptr;
        int most = -1;
        for (const auto& [pattern, item] : document_.at("paths").as_object()) {
            const auto same = likeness(pattern, segments);
            if (!same || *same <= most || !item.as_object().contains(verb)) continue;
            most = *same;
            best = &item.at(verb).as_object();
        }
        return best;
    }

    const json::object& response_of(const json::object& operation, int status) const {
        const auto& responses = operation.at("responses").as_object();
        const auto exact = std::to_string(status);
        for (const auto& key : {exact, exact.substr(0, 1) + "XX", std::string("default")})
            if (const auto* response = responses.if_contains(key)) {
                const auto* reference = response->as_object().if_contains("$ref");
                if (reference == nullptr) return response->as_object();
                return document_.at_pointer(std::string_view(reference->as_string()).substr(1)).as_object();
            }
        throw std::runtime_error("the document does not have this status");
    }

    void validate(const json::value& schema, const json::value& body) {
        auto& parsed = schemas_[json::serialize(schema)];
        if (!parsed) {
            parsed = std::make_unique<valijson::Schema>();
            // References are looked up from the root.
            const json::value root{{"allOf", json::array{schema}},
                                   {"components", document_.at("components")}};
            valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(Adapter(root), *parsed);
        }
        valijson::ValidationResults results;
        if (valijson::Validator().validate(*parsed, Adapter(body), &results)) return;
        std::string what = "the document's schema forbids it:";
        for (valijson::ValidationResults::Error error; results.popError(error);) {
            what += "\n  ";
            for (const auto& step : error.context) what += step;
            what += ": " + error.description;
        }
        throw std::runtime_error(what);
    }

    json::value document_ = read_document();
    json::value error_{{"$ref", "#/components/schemas/Error"}};
    std::map<std::string, std::unique_ptr<valijson::Schema>> schemas_;
};

Contract& contract() {
    static Contract the_only;
    return the_only;
}

}  // namespace

void check_operational_webhook(std::string_view payload) {
    try {
        contract().check_webhook(payload);
    } catch (const std::exception& error) {
        throw std::runtime_error(fmt::format("{}\n{}", error.what(), payload));
    }
}

std::set<std::string> documented_operations() { return contract().operations(); }

void check_contract(std::string_view method, std::string_view path, int status, std::string_view body) {
    try {
        contract().check(method, path, status, body);
    } catch (const std::exception& error) {
        throw std::runtime_error(
            fmt::format("{} {} gave {}, but {}\n{}", method, path, status, error.what(), body));
    }
}

}  // namespace posthorn::test
