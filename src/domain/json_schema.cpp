#include "domain/json_schema.hpp"

#include <array>
#include <boost/json.hpp>

#include "domain/json_schema_compiler.hpp"
#include "domain/meta_schemas.hpp"

namespace posthorn::domain {

namespace json = boost::json;
using schema::Draft;
using schema::Purpose;

namespace {

schema::Compiled compile_meta_schema(std::string_view text, Draft draft) {
    return schema::compile(json::parse({text.data(), text.size()}), draft, Purpose::enforced, nullptr);
}

const schema::Compiled& meta_schema_of(Draft draft) {
    static const auto draft_04 = compile_meta_schema(schema::meta_schema_draft_04, Draft::draft_04);
    static const auto draft_07 = compile_meta_schema(schema::meta_schema_draft_07, Draft::draft_07);
    return draft == Draft::draft_04 ? draft_04 : draft_07;
}

// Nothing for a draft that is not known here.
std::optional<Draft> draft_of(const json::object& schema) {
    const auto* given = schema.if_contains("$schema");
    if (given == nullptr) return Draft::draft_07;
    if (!given->is_string()) return std::nullopt;
    std::string_view uri(given->get_string().data(), given->get_string().size());
    if (uri.ends_with('#')) uri.remove_suffix(1);
    uri.remove_prefix(std::min(uri.find("://"), uri.size()));
    if (uri == "://json-schema.org/draft-04/schema") return Draft::draft_04;
    if (uri == "://json-schema.org/draft-06/schema" || uri == "://json-schema.org/draft-07/schema")
        return Draft::draft_07;
    return std::nullopt;
}

}  // namespace

std::optional<SchemaProblem> JsonSchema::find_problem(const json::object& schema) {
    const auto draft = draft_of(schema);
    if (!draft) return std::nullopt;
    try {
        (void)schema::compile(schema, *draft, Purpose::documented, &meta_schema_of(*draft));
        return std::nullopt;
    } catch (const SchemaProblem& problem) {
        return problem;
    }
}

std::variant<JsonSchema, SchemaProblem> JsonSchema::compile(const json::object& schema) {
    const auto draft = draft_of(schema);
    if (!draft)
        return SchemaProblem{"/$schema", "must be that of draft 4, 6 or 7 for a schema that is enforced"};
    try {
        return JsonSchema(std::make_shared<const schema::Compiled>(
            schema::compile(schema, *draft, Purpose::enforced, &meta_schema_of(*draft))));
    } catch (const SchemaProblem& problem) {
        return problem;
    }
}

std::vector<SchemaViolation> JsonSchema::validate(const json::value& value) const {
    return schema::evaluate(*compiled_, value);
}

std::size_t JsonSchema::memory_bytes() const {
    constexpr std::size_t of_a_source_byte = 16;
    return compiled_->source_bytes * of_a_source_byte +
           compiled_->patterns * static_cast<std::size_t>(TextPattern::memory_bytes);
}

}  // namespace posthorn::domain
