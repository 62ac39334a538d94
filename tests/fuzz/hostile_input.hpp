#pragma once
#include <string>

#include "dice.hpp"
#include "json_draft.hpp"

namespace posthorn::test {

// What nobody should send. No URL in it leads off this machine: addresses are ones that the guard refuses,
// and names end in .invalid (RFC 6761).

// A JSON value, or what looks like one, as it is written.
std::string hostile_json(Dice& dice);
// Changes one place of the draft: another value, a member twice or unknown, an odd name.
void spoil(JsonDraft& draft, Dice& dice);
// Changes the text as a whole: cut off, empty, no JSON, more than one.
std::string spoiled_text(std::string text, Dice& dice);

std::string hostile_segment(Dice& dice);      // of a path, as it is written
std::string hostile_query_value(Dice& dice);  // as it is written
std::string hostile_field(Dice& dice);        // a header field's value
std::string hostile_authorization(Dice& dice);

}  // namespace posthorn::test
