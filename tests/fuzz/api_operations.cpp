#include "api_operations.hpp"

#include <algorithm>
#include <cctype>
#include <stdexcept>

#include "admin-api/api_document.hpp"

namespace posthorn::test {

namespace json = boost::json;

namespace {

ApiParameter::Place place_of(std::string_view in) {
    if (in == "path") return ApiParameter::Place::path;
    if (in == "query") return ApiParameter::Place::query;
    if (in == "header") return ApiParameter::Place::header;
    throw std::runtime_error("the document has a parameter in " + std::string(in));
}

std::string in_capitals(std::string_view verb) {
    std::string text(verb);
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return text;
}

}  // namespace

ApiDescription::ApiDescription() : document_(json::parse(admin::api_document())) {
    for (const auto& [pattern, path] : document_.at("paths").as_object())
        for (const auto& [verb, operation] : path.as_object())
            if (verb != "parameters") operations_.push_back(read(pattern, verb, operation.as_object()));
}

const json::object& ApiDescription::resolved(const json::object& schema) const {
    const auto* reference = schema.if_contains("$ref");
    if (reference == nullptr) return schema;
    return resolved(document_.at_pointer(std::string_view(reference->as_string()).substr(1)).as_object());
}

ApiOperation ApiDescription::read(std::string_view pattern, std::string_view verb,
                                  const json::object& operation) const {
    ApiOperation read{in_capitals(verb), std::string(pattern), {}};
    if (const auto* list = operation.if_contains("parameters"))
        for (const auto& item : list->as_array()) {
            const auto& parameter = resolved(item.as_object());
            const auto* required = parameter.if_contains("required");
            read.parameters.push_back(
                {std::string(parameter.at("name").as_string()), place_of(parameter.at("in").as_string()),
                 required != nullptr && required->as_bool(), &resolved(parameter.at("schema").as_object())});
        }
    if (const auto* body = operation.if_contains("requestBody"))
        read.body = &resolved(body->at_pointer("/content/application~1json/schema").as_object());
    const auto* security = operation.if_contains("security");
    read.is_public = security != nullptr && security->as_array().empty();
    return read;
}

}  // namespace posthorn::test
