#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace posthorn::json {

// One member of an object, as views of the text it stands in.
struct Member {
    std::string_view key;    // what is between its quotes, escapes as written
    std::string_view value;  // its bytes from first to last, without the white space around it
};

struct ObjectScan {
    std::vector<Member> members;  // of the outermost object, in order; the same key may come twice
    std::optional<std::string>
        error;  // a phrase that says what is wrong and where; then there are no members
};

// Reads a text that must be one JSON object (RFC 8259, nothing more lenient), checks every byte of it and
// says where its members stand: numbers of any size and spelling and all escapes stay what they are. Refused
// too: text that isn't UTF-8, and objects and arrays nested more than `deepest` levels (the outermost is the
// first).
ObjectScan scan_object(std::string_view text, int deepest);

// The items of a text that is one JSON array, as views of it; nothing if it isn't one that scan_object would
// take as a member's value.
std::optional<std::vector<std::string_view>> scan_array(std::string_view text, int deepest);

}  // namespace posthorn::json
