#include "reference_page.hpp"

#include <set>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace posthorn {

namespace json = boost::json;

namespace {

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            default:
                out += c;
        }
    return out;
}

std::string text_at(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

// What is left of Markdown in descriptions: paragraphs and `code`.
std::string prose(std::string_view text) {
    std::string out = "<p>";
    bool code = false;
    const auto safe = escaped(text);
    for (std::size_t i = 0; i < safe.size(); ++i) {
        if (safe[i] == '`') {
            out += code ? "</code>" : "<code>";
            code = !code;
        } else if (safe.compare(i, 2, "\n\n") == 0) {
            out += "</p><p>";
            ++i;
        } else {
            out += safe[i];
        }
    }
    return out + "</p>\n";
}

std::string indented(const json::value& value, const std::string& before = {}) {
    const std::string inner = before + "  ";
    std::string out;
    const auto put = [&](const std::string& item) { out += (out.empty() ? "\n" : ",\n") + inner + item; };
    if (const auto* object = value.if_object(); object != nullptr && !object->empty()) {
        for (const auto& [key, item] : *object)
            put(json::serialize(json::string(key)) + ": " + indented(item, inner));
        return "{" + out + "\n" + before + "}";
    }
    if (const auto* array = value.if_array(); array != nullptr && !array->empty()) {
        for (const auto& item : *array) put(indented(item, inner));
        return "[" + out + "\n" + before + "]";
    }
    return json::serialize(value);
}

std::string name_of_reference(std::string_view reference) {
    return std::string(reference.substr(reference.rfind('/') + 1));
}

class Page {
public:
    explicit Page(const json::object& document) : document_(document) {}

    std::string render() {
        const auto& info = document_.at("info").as_object();
        const auto title = escaped(text_at(info, "title")) + " API " + escaped(text_at(info, "version"));
        std::string menu, body;
        for (const auto& tag : document_.at("tags").as_array()) section(tag.as_object(), menu, body);
        schemas(menu, body);
        return "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>" + title +
               "</title>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
               "<link rel=\"stylesheet\" href=\"/docs/style.css\"></head>\n<body>\n<nav>\n<a class=\"title\" "
               "href=\"#\">" +
               title + "</a>\n" + menu + "</nav>\n<main>\n<h1>" + title + "</h1>\n" +
               prose(text_at(info, "description")) +
               "<p>This page for programs: <a href=\"/api/v1/openapi.json\">openapi.json</a>.</p>\n" + body +
               "</main>\n</body>\n</html>\n";
    }

private:
    // What a $ref stands for; the value itself without one.
    const json::object& resolve(const json::value& value) const {
        const auto& object = value.as_object();
        const auto reference = text_at(object, "$ref");
        if (reference.empty()) return object;
        const json::object* found = &document_;
        for (std::size_t begin = 2; begin < reference.size();) {
            const auto end = std::min(reference.find('/', begin), reference.size());
            const auto* next = found->if_contains(std::string_view(reference).substr(begin, end - begin));
            if (next == nullptr) throw std::runtime_error(reference + " is nowhere");
            found = &next->as_object();
            begin = end + 1;
        }
        return *found;
    }

    // "string or null, 1 to 256 characters", "array of <a>ApplicationOut</a>"
    std::string type_of(const json::object& schema) const {
        if (const auto reference = text_at(schema, "$ref"); !reference.empty()) {
            const auto name = escaped(name_of_reference(reference));
            return "<a href=\"#schema-" + name + "\">" + name + "</a>";
        }
        std::vector<std::string> kinds;
        if (const auto* type = schema.if_contains("type")) {
            if (type->is_string())
                kinds.emplace_back(type->get_string());
            else
                for (const auto& one : type->as_array()) kinds.emplace_back(one.as_string());
        }
        std::string out;
        for (const auto& kind : kinds) {
            out += (out.empty() ? "" : " or ") + kind;
            if (kind == "array" && schema.contains("items"))
                out += " of " + type_of(schema.at("items").as_object());
            if (kind == "object" && schema.contains("additionalProperties") &&
                schema.at("additionalProperties").is_object())
                out += " of " + type_of(schema.at("additionalProperties").as_object());
        }
        for (const char* word : {"anyOf", "oneOf", "allOf"})
            if (const auto* list = schema.if_contains(word))
                for (const auto& one : list->as_array())
                    out += (out.empty()                         ? ""
                            : word == std::string_view("allOf") ? " and "
                                                                : " or ") +
                           type_of(one.as_object());
        if (const auto* words = schema.if_contains("enum")) {
            std::string list;
            for (const auto& word : words->as_array())
                list += (list.empty() ? "" : ", ") + json::serialize(word);
            out += ": <code>" + escaped(list) + "</code>";
        }
        for (const auto& [key, what] : {std::pair{"const", "always"},
                                        {"format", ""},
                                        {"minimum", "at least"},
                                        {"maximum", "at most"},
                                        {"minLength", "characters at least"},
                                        {"maxLength", "characters at most"},
                                        {"minItems", "items at least"},
                                        {"maxItems", "items at most"},
                                        {"default", "without it"}})
            if (const auto* value = schema.if_contains(key))
                out +=
                    std::string(", ") + what + " " +
                    escaped(value->is_string() ? std::string(value->get_string()) : json::serialize(*value));
        return out.empty() ? "anything" : out;
    }

    std::string row(const std::string& name, const std::string& note, const json::object& schema,
                    const std::string& description) const {
        return "<tr><td><code>" + escaped(name) + "</code>" +
               (note.empty() ? "" : "<br><small>" + note + "</small>") + "</td><td>" + type_of(schema) +
               "</td><td>" + (description.empty() ? "" : prose(description)) + "</td></tr>\n";
    }

    std::string fields(const json::object& schema) const {
        const auto* properties = schema.if_contains("properties");
        if (properties == nullptr) return "<p>" + type_of(schema) + "</p>\n";
        std::set<std::string, std::less<>> required;
        if (const auto* list = schema.if_contains("required"))
            for (const auto& name : list->as_array()) required.emplace(name.as_string());
        std::string out = "<table>\n";
        for (const auto& [name, property] : properties->as_object())
            out += row(std::string(name), required.contains(name) ? "required" : "", property.as_object(),
                       text_at(property.as_object(), "description"));
        return out + "</table>\n";
    }

    std::string content(const json::object& holder) const {
        std::string out;
        const auto* kinds = holder.if_contains("content");
        if (kinds == nullptr) return out;
        for (const auto& [kind, value] : kinds->as_object()) {
            const auto& media = value.as_object();
            const auto& schema = media.at("schema").as_object();
            out += "<p><code>" + escaped(kind) + "</code>: " + type_of(schema) + "</p>\n";
            if (!schema.contains("$ref") && schema.contains("properties")) out += fields(schema);
            const auto show = [&](const json::value& example) {
                out += "<pre>" + escaped(indented(example)) + "</pre>\n";
            };
            if (const auto* example = media.if_contains("example")) show(*example);
            if (const auto* examples = media.if_contains("examples"))
                for (const auto& one : examples->as_object()) show(one.value().at("value"));
        }
        return out;
    }

    void operation(const std::string& method, const std::string& path, const json::object& operation,
                   std::string& menu, std::string& body) const {
        const auto id = escaped(text_at(operation, "operationId"));
        const auto summary = escaped(text_at(operation, "summary"));
        menu += "<a href=\"#" + id + "\">" + summary + "</a>\n";
        body += "<section id=\"" + id + "\">\n<h3>" + summary + "</h3>\n<p class=\"path\"><b class=\"" +
                method + "\">" + method + "</b> <code>" + escaped(path) + "</code></p>\n" +
                prose(text_at(operation, "description"));
        if (const auto* parameters = operation.if_contains("parameters")) {
            body += "<h4>Parameters</h4>\n<table>\n";
            for (const auto& given : parameters->as_array()) {
                const auto& parameter = resolve(given);
                body += row(text_at(parameter, "name"), text_at(parameter, "in"),
                            parameter.at("schema").as_object(), text_at(parameter, "description"));
            }
            body += "</table>\n";
        }
        if (const auto* request = operation.if_contains("requestBody"))
            body += "<h4>Body</h4>\n" + content(request->as_object());
        body += "<h4>Answers</h4>\n";
        for (const auto& [status, given] : operation.at("responses").as_object()) {
            const auto& response = resolve(given);
            const bool good = status.starts_with('2');
            body += std::string(good ? "<details open>" : "<details>") + "<summary><b>" + escaped(status) +
                    "</b> " + escaped(text_at(response, "description")) + "</summary>\n" + content(response) +
                    "</details>\n";
        }
        body += "</section>\n";
    }

    void section(const json::object& tag, std::string& menu, std::string& body) const {
        const auto name = text_at(tag, "name");
        menu += "<h2>" + escaped(name) + "</h2>\n";
        body += "<h2>" + escaped(name) + "</h2>\n" + prose(text_at(tag, "description"));
        for (const char* part : {"paths", "webhooks"}) {
            const auto* paths = document_.if_contains(part);
            if (paths == nullptr) continue;
            for (const auto& [path, item] : paths->as_object())
                for (const auto& [method, value] : item.as_object())
                    if (value.as_object().at("tags").as_array().front().as_string() == name)
                        operation(std::string(method), std::string(path), value.as_object(), menu, body);
        }
    }

    void schemas(std::string& menu, std::string& body) const {
        menu += "<h2><a href=\"#schemas\">Schemas</a></h2>\n";
        body += "<h2 id=\"schemas\">Schemas</h2>\n";
        for (const auto& [name, schema] : document_.at("components").at("schemas").as_object()) {
            body += "<section id=\"schema-" + escaped(name) + "\">\n<h3>" + escaped(name) + "</h3>\n" +
                    prose(text_at(schema.as_object(), "description")) + fields(schema.as_object()) +
                    "</section>\n";
        }
    }

    const json::object& document_;
};

}  // namespace

std::string reference_page(const json::object& document) { return Page(document).render(); }

}  // namespace posthorn
