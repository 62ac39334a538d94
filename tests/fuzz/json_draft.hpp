#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace posthorn::test {

struct JsonMember;

// A JSON text under construction. Unlike a parsed value it also holds what no parser takes: members twice,
// numbers of any spelling, broken escapes.
struct JsonDraft {
    enum class Kind { scalar, array, object };

    Kind kind = Kind::scalar;
    std::string scalar = "null";      // as it is written
    std::vector<JsonDraft> items;     // of an array
    std::vector<JsonMember> members;  // of an object

    static JsonDraft raw(std::string text);
    static JsonDraft array();
    static JsonDraft object();

    void set(std::string_view name, JsonDraft value);  // replaces, or adds
    void erase(std::string_view name);
    std::string text() const;
};

struct JsonMember {
    std::string name;  // as it is written
    JsonDraft value;
};

// With its quotes. Bytes that are no UTF-8 stay as they are.
std::string json_string(std::string_view text);

// The draft itself and all within it; valid until one of them is changed.
std::vector<JsonDraft*> all_nodes(JsonDraft& draft);

}  // namespace posthorn::test
