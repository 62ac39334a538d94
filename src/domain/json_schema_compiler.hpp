#pragma once
#include <boost/json/value.hpp>

#include "domain/json_schema.hpp"
#include "domain/json_schema_rules.hpp"

namespace posthorn::domain::schema {

enum class Draft { draft_04, draft_07 };  // of draft 6 is what draft 7 also has

// `documented` takes over what it can't enforce (and isn't evaluated then); see JsonSchema::find_problem.
enum class Purpose { documented, enforced };

// The schema, whose references lead to places of its own. It is held to the meta-schema; nullptr for that one
// itself. Throws SchemaProblem.
Compiled compile(const boost::json::value& schema, Draft draft, Purpose purpose, const Compiled* meta_schema);

// The rules that `value` breaks.
std::vector<SchemaViolation> evaluate(const Compiled& compiled, const boost::json::value& value);

}  // namespace posthorn::domain::schema
