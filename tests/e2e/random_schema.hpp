#pragma once
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdint>

#include "fuzz/dice.hpp"

namespace posthorn::test {

// JSON Schemas of draft 7 and values, drawn from a grammar so small that the ones often meet the others. A
// schema refers to itself only where that goes into the value.
class RandomSchema {
public:
    RandomSchema(std::uint64_t seed, std::uint64_t number) : dice_(seed, number) {}

    boost::json::object schema();
    boost::json::value value();

private:
    // Where in the schema we are. A definition refers to itself, to those before it and to the root only
    // from within the value.
    struct Place {
        int levels_left;
        bool is_in_value;
        std::size_t first_definition;

        Place below() const { return {levels_left - 1, is_in_value, first_definition}; }
        Place in_value() const { return {levels_left - 1, true, 0}; }
    };
    using Add = void (RandomSchema::*)(boost::json::object&, Place);

    boost::json::value subschema(Place place);
    boost::json::object object_schema(Place place);
    boost::json::object reference(Place place);
    boost::json::array subschemas(Place place);
    boost::json::array names();
    boost::json::array values();
    boost::json::value value(int levels_left);

    void add_type(boost::json::object& schema, Place place);
    void add_constants(boost::json::object& schema, Place place);
    void add_limit(boost::json::object& schema, Place place);
    void add_size(boost::json::object& schema, Place place);
    void add_text(boost::json::object& schema, Place place);
    void add_items(boost::json::object& schema, Place place);
    void add_unique_or_contains(boost::json::object& schema, Place place);
    void add_properties(boost::json::object& schema, Place place);
    void add_names(boost::json::object& schema, Place place);
    void add_dependencies(boost::json::object& schema, Place place);
    void add_combination(boost::json::object& schema, Place place);
    void add_condition(boost::json::object& schema, Place place);

    Dice dice_;
};

}  // namespace posthorn::test
