#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace posthorn::test {

// A JSON text under construction. Unlike a parsed value it also holds what no parser takes: members twice,
// numbers of any spelling, broken escapes.
struct JsonDraft {
    enum class Kind { scalar, array, object };

    Kind kind = Kind::scalar;
    std::string scalar = "null";                                  // as it is written
    std::vector<JsonDraft> items = {};                            // of an array
    std::vector<std::pair<std::string, JsonDraft>> members = {};  // of an object; names as they are written

    static JsonDraft raw(std::string text) { return {Kind::scalar, std::move(text)}; }
    static JsonDraft array() { return {Kind::array, {}}; }
    static JsonDraft object() { return {Kind::object, {}}; }

    void set(std::string_view name, JsonDraft value);  // replaces, or adds
    void erase(std::string_view name);
    std::string text() const;
};

// With its quotes. Bytes that are no UTF-8 stay as they are.
std::string json_string(std::string_view text);

// The draft itself and all within it; valid until one of them is changed.
std::vector<JsonDraft*> all_nodes(JsonDraft& draft);

}  // namespace posthorn::test
