#include "random_schema.hpp"

#include <array>
#include <boost/json.hpp>

namespace posthorn::test {

namespace json = boost::json;

namespace {

constexpr int levels_of_schemas = 3;
constexpr int levels_of_values = 3;

struct Definition {
    const char* name;
    const char* reference;
};
constexpr std::array definitions{Definition{"d", "#/definitions/d"}, Definition{"d/1", "#/definitions/d~11"},
                                 Definition{"d~2%", "#/definitions/d~02%25"}};
constexpr std::array property_names{"a", "b", "ab", "ä"};
constexpr std::array types{"null", "boolean", "integer", "number", "string", "array", "object"};
constexpr std::array patterns{"^a",    "b$",    "^.{1,2}$", "\\d",      "^\\S+$", "[^a]",
                              "a|1.5", "\\bb$", "^\\W",     "^[a-ä]+$", "^$",     "\\p{L}\\s?\\w"};

const json::array& scalars() {
    static const json::array all{nullptr, true, false, 0,   1,    1.0,  2,     -1,  0.5,
                                 2.5,     1e3,  "",    "a", "ab", "b1", "a b", "ä", "😀"};
    return all;
}

}  // namespace

json::object RandomSchema::schema() {
    json::object all = object_schema({levels_of_schemas, false, 0});
    json::object defined;
    for (std::size_t i = 0; i < definitions.size(); ++i)
        defined[definitions[i].name] = subschema({levels_of_schemas - 1, false, i + 1});
    all["definitions"] = std::move(defined);
    return all;
}

json::value RandomSchema::subschema(Place place) {
    if (dice_.chance(0.1)) return dice_.chance(0.7);
    if (dice_.chance(0.2)) return reference(place);
    return object_schema(place);
}

json::object RandomSchema::object_schema(Place place) {
    static constexpr std::array<Add, 5> of_scalars{&RandomSchema::add_type, &RandomSchema::add_constants,
                                                   &RandomSchema::add_limit, &RandomSchema::add_size,
                                                   &RandomSchema::add_text};
    static constexpr std::array<Add, 7> of_parts{
        &RandomSchema::add_items,    &RandomSchema::add_unique_or_contains, &RandomSchema::add_properties,
        &RandomSchema::add_names,    &RandomSchema::add_dependencies,       &RandomSchema::add_combination,
        &RandomSchema::add_condition};
    json::object schema;
    for (auto count = dice_.between(0, 3); count > 0; --count) {
        const bool has_parts = place.levels_left > 0 && dice_.chance(0.6);
        (this->*(has_parts ? dice_.one_of(of_parts) : dice_.one_of(of_scalars)))(schema, place);
    }
    return schema;
}

// Draft 7 ignores what stands beside it; ajv does so but for `type`.
json::object RandomSchema::reference(Place place) {
    json::object schema;
    if (place.is_in_value && dice_.chance(0.3))
        schema["$ref"] = "#";
    else if (place.first_definition < definitions.size())
        schema["$ref"] =
            definitions[place.first_definition + dice_.below(definitions.size() - place.first_definition)]
                .reference;
    if (dice_.chance(0.3)) add_limit(schema, place);
    return schema;
}

json::array RandomSchema::subschemas(Place place) {
    json::array all;
    for (auto count = dice_.between(1, 3); count > 0; --count) all.push_back(subschema(place));
    return all;
}

json::array RandomSchema::names() {
    json::array all;
    for (const auto* name : property_names)
        if (dice_.chance(0.3)) all.emplace_back(name);
    return all;
}

json::array RandomSchema::values() {
    json::array all;
    for (auto count = dice_.between(1, 4); count > 0; --count) all.push_back(value(1));
    return all;
}

// ---- keywords

void RandomSchema::add_type(json::object& schema, Place) {
    if (dice_.chance(0.5)) {
        schema["type"] = dice_.one_of(types);
        return;
    }
    json::array some;
    for (const auto* type : types)
        if (dice_.chance(0.5)) some.emplace_back(type);
    if (!some.empty()) schema["type"] = std::move(some);
}

void RandomSchema::add_constants(json::object& schema, Place) {
    if (dice_.chance(0.3))
        schema["const"] = value(1);
    else
        schema["enum"] = values();  // one that holds a value twice is no schema
}

void RandomSchema::add_limit(json::object& schema, Place) {
    static constexpr std::array keywords{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"};
    if (dice_.chance(0.3))
        schema["multipleOf"] = dice_.one_of(std::array{0.5, 1.0, 1.5, 2.0});
    else
        schema[dice_.one_of(keywords)] = dice_.one_of(std::array{-1.0, 0.0, 0.5, 1.0, 2.0, 2.5});
}

void RandomSchema::add_size(json::object& schema, Place) {
    static constexpr std::array least{"minLength", "minItems", "minProperties"};
    static constexpr std::array most{"maxLength", "maxItems", "maxProperties"};
    if (dice_.chance(0.5))
        schema[dice_.one_of(least)] = dice_.between(0, 2);
    else
        schema[dice_.one_of(most)] = static_cast<double>(dice_.between(0, 3));
}

void RandomSchema::add_text(json::object& schema, Place) {
    if (dice_.chance(0.2))
        schema["format"] = "date-time";
    else
        schema["pattern"] = dice_.one_of(patterns);
}

// Not a list of items beside `contains`, which ajv then passes over in an empty array.
void RandomSchema::add_items(json::object& schema, Place place) {
    if (dice_.chance(0.5) || schema.contains("contains"))
        schema["items"] = subschema(place.in_value());
    else
        schema["items"] = subschemas(place.in_value());
    if (dice_.chance(0.5)) schema["additionalItems"] = subschema(place.in_value());
}

void RandomSchema::add_unique_or_contains(json::object& schema, Place place) {
    const auto* items = schema.if_contains("items");
    if (dice_.chance(0.5) || (items != nullptr && items->is_array()))
        schema["uniqueItems"] = dice_.chance(0.9);
    else
        schema["contains"] = subschema(place.in_value());
}

void RandomSchema::add_properties(json::object& schema, Place place) {
    json::object named;
    for (const auto& name : names()) named[name.as_string()] = subschema(place.in_value());
    if (dice_.chance(0.8)) schema["properties"] = std::move(named);
    if (dice_.chance(0.3))
        schema["patternProperties"] = json::object{{dice_.one_of(patterns), subschema(place.in_value())}};
    if (dice_.chance(0.4)) schema["additionalProperties"] = subschema(place.in_value());
}

void RandomSchema::add_names(json::object& schema, Place place) {
    if (dice_.chance(0.7))
        schema["required"] = names();
    else
        schema["propertyNames"] = subschema(place.in_value());
}

void RandomSchema::add_dependencies(json::object& schema, Place place) {
    json::object dependencies;
    for (const auto& name : names()) {
        auto& dependency = dependencies[name.as_string()];
        if (dice_.chance(0.5))
            dependency = names();
        else
            dependency = subschema(place.below());
    }
    schema["dependencies"] = std::move(dependencies);
}

void RandomSchema::add_combination(json::object& schema, Place place) {
    static constexpr std::array keywords{"allOf", "anyOf", "oneOf"};
    if (dice_.chance(0.2))
        schema["not"] = subschema(place.below());
    else
        schema[dice_.one_of(keywords)] = subschemas(place.below());
}

void RandomSchema::add_condition(json::object& schema, Place place) {
    if (dice_.chance(0.9)) schema["if"] = subschema(place.below());
    if (dice_.chance(0.7)) schema["then"] = subschema(place.below());
    if (dice_.chance(0.7)) schema["else"] = subschema(place.below());
}

// ---- values

json::value RandomSchema::value() { return value(levels_of_values); }

json::value RandomSchema::value(int levels_left) {
    if (levels_left == 0 || dice_.chance(0.3)) return dice_.one_of(scalars());
    if (dice_.chance(0.4)) {
        json::array items;
        for (auto count = dice_.between(0, 3); count > 0; --count) items.push_back(value(levels_left - 1));
        return items;
    }
    json::object members;
    for (const auto& name : names()) members[name.as_string()] = value(levels_left - 1);
    return members;
}

}  // namespace posthorn::test
