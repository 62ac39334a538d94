#pragma once
#include <boost/json/object.hpp>

namespace posthorn::domain {

// A value that a JSON Schema describes, for people to look at: its own example, default or constant where it
// has one ("example", "examples", "default", "const", "enum"), else one made from its type and properties.
// Nested at most 8 levels deep; what is below is null. References are not followed.
boost::json::value example_of(const boost::json::object& schema);

}  // namespace posthorn::domain
