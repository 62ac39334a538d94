#pragma once
#include <string>
#include <vector>

namespace posthorn {

// One thing wrong with one field of an input: where, what the rule is, and a machine's word for the rule.
// Shown to API clients as {"loc": [...], "msg": ..., "type": ...}.
struct FieldProblem {
    std::vector<std::string> loc;  // e.g. {"body", "url"}
    std::string msg;               // names the field and the rule
    std::string type = "value_error";
};

}  // namespace posthorn
