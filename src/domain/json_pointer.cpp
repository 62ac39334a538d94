#include "domain/json_pointer.hpp"

#include <boost/json.hpp>
#include <charconv>

#include "base/encoding.hpp"

namespace posthorn::domain {

namespace json = boost::json;

namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
        text.replace(at, from.size(), to);
}

std::optional<std::string> percent_decoded(std::string_view text) {
    std::string decoded;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '%') {
            decoded += text[at];
            continue;
        }
        const auto byte = hex_decode(text.substr(at + 1, 2));
        if (!byte || byte->size() != 1) return std::nullopt;
        decoded += *byte;
        at += 2;
    }
    return decoded;
}

const json::value* step_into(const json::value& value, std::string_view name) {
    if (const auto* object = value.if_object())
        return object->if_contains(json::string_view(name.data(), name.size()));
    const auto* array = value.if_array();
    std::size_t index = 0;
    const auto* end = name.data() + name.size();
    const auto [read, error] = std::from_chars(name.data(), end, index);
    if (array == nullptr || error != std::errc() || read != end || (name.size() > 1 && name[0] == '0'))
        return nullptr;
    return index < array->size() ? &(*array)[index] : nullptr;
}

}  // namespace

std::string pointer_step(std::string_view name) {
    std::string step(name);
    replace_all(step, "~", "~0");
    replace_all(step, "/", "~1");
    return "/" + step;
}

std::string to_pointer(std::span<const std::string> steps) {
    std::string pointer;
    for (const auto& step : steps) pointer += pointer_step(step);
    return pointer;
}

Referenced find_referenced(const json::value& root, std::string_view reference) {
    if (!reference.starts_with('#')) return {};
    const auto pointer = percent_decoded(reference.substr(1));
    if (!pointer || (!pointer->empty() && !pointer->starts_with('/'))) return {};
    Referenced found{&root, {}};
    std::string_view rest = *pointer;
    while (found.value != nullptr && !rest.empty()) {
        rest.remove_prefix(1);
        const auto end = std::min(rest.find('/'), rest.size());
        std::string name(rest.substr(0, end));
        replace_all(name, "~1", "/");
        replace_all(name, "~0", "~");
        found.value = step_into(*found.value, name);
        found.steps.push_back(std::move(name));
        rest.remove_prefix(end);
    }
    return found;
}

}  // namespace posthorn::domain
