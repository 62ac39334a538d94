#include "support/api_contract.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cctype>
#include <fmt/format.h>
#include <map>
#include <mutex>
#include <stdexcept>
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>
#include <vector>

#include "admin-api/api_document.hpp"
#include "http/target.hpp"

namespace posthorn::test {

namespace json = boost::json;

namespace {

// A payload of 64 levels within an answer, and as much again.
constexpr std::size_t deepest_body = 200;

// What any request may be answered before it is known which operation it is for; the document's introduction
// says so.
constexpr std::array<std::pair<int, std::string_view>, 4> refusals_of_any{
    {{408, "RequestTimeout"}, {413, "PayloadTooLarge"}, {414, "UriTooLong"}, {431, "HeaderTooLarge"}}};

using Adapter = valijson::adapters::BoostJsonAdapter;

// Decoded, but for what can't be.
std::vector<std::string> segments_of(std::string_view path) {
    path = path.substr(0, path.find('?'));
    if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
    std::vector<std::string> segments;
    while (!path.empty()) {
        path.remove_prefix(1);
        const auto end = std::min(path.find('/'), path.size());
        const auto segment = path.substr(0, end);
        segments.push_back(
            http::percent_decode(segment, http::PlusSign::literal).value_or(std::string(segment)));
        path.remove_prefix(end);
    }
    return segments;
}

// How many segments are literally the same; nothing if the path isn't one of the pattern's.
std::optional<int> likeness(std::string_view pattern, const std::vector<std::string>& path) {
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

// RFC 3339 as the API writes it.
constexpr std::string_view time_pattern =
    "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\\.[0-9]{6}"
    "Z$";

// valijson compiles a regular expression for each text whose format it checks, which takes longer than the
// request did, and takes what isn't a string for one: a pattern does neither.
void put_patterns_for_times(json::value& value) {
    if (auto* array = value.if_array())
        for (auto& item : *array) put_patterns_for_times(item);
    auto* object = value.if_object();
    if (object == nullptr) return;
    for (auto& member : *object) put_patterns_for_times(member.value());
    const auto* format = object->if_contains("format");
    if (format == nullptr || *format != json::value("date-time")) return;
    object->erase("format");
    (*object)["pattern"] = time_pattern;
}

// valijson holds the names of an object that is referred to ({$ref} to {type: object, propertyNames}) to the
// object's own type, and refuses all of them; within an allOf it does not.
void separate_names(json::value& value) {
    if (auto* array = value.if_array())
        for (auto& item : *array) separate_names(item);
    auto* object = value.if_object();
    if (object == nullptr) return;
    for (auto& member : *object) separate_names(member.value());
    const auto* names = object->if_contains("propertyNames");
    if (names == nullptr || object->contains("allOf")) return;
    json::array apart{{{"propertyNames", *names}}};
    object->erase("propertyNames");
    (*object)["allOf"] = std::move(apart);
}

json::value read_document() {
    auto document = json::parse(admin::api_document());
    put_patterns_for_times(document);
    separate_names(document);
    return document;
}

class Contract {
public:
    void check(std::string_view method, std::string_view path, int status, std::string_view body) {
        const auto* operation = find(method, path);
        if (operation == nullptr) {
            if (status == 404 || status == 405 || status == 400 || refusal_of_any(status) != nullptr) return;
            throw std::runtime_error("the document does not have it");
        }
        if (status == 500) return validate(error_, json::parse(body));
        const auto& response = response_of(*operation, status);
        if (method == "HEAD") {
            if (!body.empty()) throw std::runtime_error("HEAD was answered with a body");
            return;
        }
        const auto* content = response.if_contains("content");
        if (content == nullptr) {
            if (!body.empty()) throw std::runtime_error("a body where the document has none");
            return;
        }
        const auto* media = content->as_object().if_contains("application/json");
        if (media != nullptr) validate(media->at("schema"), parsed(body));
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
    static json::value parsed(std::string_view body) {
        return json::parse(body, {}, {.max_depth = deepest_body});
    }

    const json::object* find(std::string_view method, std::string_view path) const {
        std::string verb(method == "HEAD" ? "GET" : method);
        std::transform(verb.begin(), verb.end(), verb.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        if (verb == method) return nullptr;  // methods are told apart by case (RFC 9110, 9.1)
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

    const json::object* refusal_of_any(int status) const {
        for (const auto& [refusal, name] : refusals_of_any)
            if (refusal == status) return &document_.at("components").at("responses").at(name).as_object();
        return nullptr;
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
        if (const auto* refusal = refusal_of_any(status)) return *refusal;
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
        if (validator_.validate(*parsed, Adapter(body), &results)) return;
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
    valijson::Validator validator_;  // keeps its regular expressions
};

// One for all threads: its schemas are large, and slow to make.
struct SharedContract {
    std::mutex mutex;
    Contract contract;
};
SharedContract& shared() {
    static SharedContract one;
    return one;
}

}  // namespace

void check_operational_webhook(std::string_view payload) {
    try {
        const std::lock_guard lock(shared().mutex);
        shared().contract.check_webhook(payload);
    } catch (const std::exception& error) {
        throw std::runtime_error(fmt::format("{}\n{}", error.what(), payload));
    }
}

std::set<std::string> documented_operations() {
    const std::lock_guard lock(shared().mutex);
    return shared().contract.operations();
}

void check_contract(std::string_view method, std::string_view path, int status, std::string_view body) {
    try {
        const std::lock_guard lock(shared().mutex);
        shared().contract.check(method, path, status, body);
    } catch (const std::exception& error) {
        throw std::runtime_error(
            fmt::format("{} {} gave {}, but {}\n{}", method, path, status, error.what(), body));
    }
}

}  // namespace posthorn::test
