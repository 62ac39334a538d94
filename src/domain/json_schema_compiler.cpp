#include "domain/json_schema_compiler.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unordered_map>

#include "domain/json_pointer.hpp"

namespace posthorn::domain::schema {

namespace json = boost::json;

namespace {

// What a schema of a later draft, or of OpenAPI, says with these would be passed over in silence.
constexpr std::array unknown_to_draft_07{"prefixItems",       "unevaluatedItems", "unevaluatedProperties",
                                         "dependentRequired", "dependentSchemas", "minContains",
                                         "maxContains",       "$dynamicRef",      "$dynamicAnchor",
                                         "$recursiveRef",     "$recursiveAnchor", "nullable"};
constexpr std::array unknown_to_draft_04{"const", "contains", "propertyNames", "if"};

constexpr std::pair<std::string_view, TypeRule::Type> type_names[] = {
    {"null", TypeRule::null},     {"boolean", TypeRule::boolean}, {"integer", TypeRule::integer},
    {"number", TypeRule::number}, {"string", TypeRule::string},   {"array", TypeRule::array},
    {"object", TypeRule::object}};

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }
std::string_view view(json::string_view text) { return {text.data(), text.size()}; }

bool is_true(const json::value* value) { return value != nullptr && value->is_bool() && value->get_bool(); }

// A size as the meta-schema allows it: a whole number that isn't negative, 2.0 among them.
std::size_t size_of(const json::value& value) {
    constexpr long double largest = 1e18L;  // beyond every size that there is
    return static_cast<std::size_t>(std::min(number_of(value)->value, largest));
}

std::vector<std::string> names_of(const json::array& array) {
    std::vector<std::string> names;
    for (const auto& name : array) names.emplace_back(view(name.get_string()));
    return names;
}

// One compilation. The meta-schema has seen each schema before its rules are read, so these have their kinds.
class Compiler {
public:
    Compiler(const json::value& root, Draft draft, Purpose purpose, const Compiled* meta_schema)
        : root_(root), draft_(draft), purpose_(purpose), meta_schema_(meta_schema) {}

    Compiled run() {
        check_against_meta_schema(root_);
        compiled_.source_bytes = json::serialize(root_).size();
        add(root_);
        while (!references_.empty()) {
            const auto reference = std::move(references_.back());
            references_.pop_back();
            follow(reference);
        }
        check_for_loops();
        return std::move(compiled_);
    }

private:
    struct OpenReference {
        NodeIndex from;
        std::string to;
        std::vector<std::string> at;
    };

    [[noreturn]] void fail(std::string rule) const { throw SchemaProblem{to_pointer(at_), std::move(rule)}; }

    // Says the rule at a keyword of the schema that is being read.
    [[noreturn]] void fail_at(std::string_view keyword, std::string rule) {
        at_.emplace_back(keyword);
        fail(std::move(rule));
    }

    void check_against_meta_schema(const json::value& schema) const {
        if (meta_schema_ == nullptr) return;
        const auto violations = evaluate(*meta_schema_, schema);
        if (violations.empty()) return;
        throw SchemaProblem{to_pointer(at_) + to_pointer(violations.front().path),
                            violations.front().rule + " (a JSON Schema's own rule)"};
    }

    NodeIndex add(const json::value& schema) {
        const auto index = compiled_.nodes.size();
        if (index >= JsonSchema::most_subschemas)
            fail(fmt::format("at most {} schemas are allowed in one", JsonSchema::most_subschemas));
        compiled_.nodes.emplace_back();
        known_.emplace(&schema, index);
        places_.push_back(at_);
        std::vector<Rule> rules;
        if (const auto* object = schema.if_object())
            read(*object, index, rules);
        else if (!schema.get_bool())
            rules.emplace_back(Never{});
        compiled_.nodes[index] = std::move(rules);
        return index;
    }

    NodeIndex add_at(const json::value& schema, std::string_view step) {
        at_.emplace_back(step);
        const auto index = add(schema);
        at_.pop_back();
        return index;
    }

    NodeIndex add_at(const json::value& schema, std::string_view keyword, std::string_view step) {
        at_.emplace_back(keyword);
        const auto index = add_at(schema, step);
        at_.pop_back();
        return index;
    }

    void read(const json::object& object, NodeIndex index, std::vector<Rule>& rules) {
        if (const auto* reference = object.if_contains("$ref");
            reference != nullptr && reference->is_string()) {
            read_reference(view(reference->get_string()), index);
            return;  // draft 7: what stands beside it is ignored
        }
        refuse_what_is_not_enforced(object);
        read_any_kind(object, rules);
        read_numbers(object, rules);
        read_texts(object, rules);
        read_arrays(object, rules);
        read_objects(object, rules);
        read_combinations(object, rules);
        read_definitions(object);
    }

    void read_reference(std::string_view reference, NodeIndex index) {
        if (!reference.starts_with('#')) fail_at("$ref", "must begin with #: only the schema itself is read");
        if (purpose_ == Purpose::documented) return;
        auto at = at_;
        at.emplace_back("$ref");
        references_.push_back({index, std::string(reference), std::move(at)});
    }

    // Leads to a schema that is known by now, or to one at another place, which is read then.
    void follow(const OpenReference& reference) {
        at_ = reference.at;
        auto target = find_referenced(root_, reference.to);
        if (target.value == nullptr) fail("must be # or #/ and a JSON pointer to a place of this schema");
        auto known = known_.find(target.value);
        if (known == known_.end()) {
            if (!target.value->is_object() && !target.value->is_bool()) fail("must lead to a schema");
            at_ = std::move(target.steps);
            check_against_meta_schema(*target.value);
            add(*target.value);
            known = known_.find(target.value);
        }
        compiled_.nodes[reference.from].emplace_back(Reference{known->second});
    }

    void refuse_what_is_not_enforced(const json::object& object) {
        if (purpose_ == Purpose::documented) return;
        for (const auto* keyword : unknown_to_draft_07)
            if (object.contains(keyword)) fail_at(keyword, "can not be enforced: draft 7 does not have it");
        for (const auto* keyword : unknown_to_draft_04)
            if (draft_ == Draft::draft_04 && object.contains(keyword))
                fail_at(keyword, "can not be enforced: draft 4 does not have it");
        const auto* id = draft_ == Draft::draft_04 ? "id" : "$id";
        if (!at_.empty() && object.contains(id))
            fail_at(id, "can not be enforced: references are looked up from the schema's root");
    }

    // ---- keywords

    void read_any_kind(const json::object& object, std::vector<Rule>& rules) {
        if (const auto* type = object.if_contains("type")) rules.emplace_back(type_rule(*type));
        if (const auto* values = object.if_contains("enum"))
            rules.emplace_back(EnumRule{values->get_array()});
        if (const auto* value = object.if_contains("const")) rules.emplace_back(ConstRule{*value});
    }

    static TypeRule type_rule(const json::value& given) {
        TypeRule rule;
        std::vector<std::string> names;
        const auto allow = [&](const json::string& name) {
            for (const auto& [known, type] : type_names)
                if (known == view(name)) rule.allowed |= type;
            names.emplace_back(view(name));
        };
        if (given.is_string()) allow(given.get_string());
        if (given.is_array())
            for (const auto& name : given.get_array()) allow(name.get_string());
        if ((rule.allowed & TypeRule::number) != 0) rule.allowed |= TypeRule::integer;
        rule.names = fmt::format("{}", fmt::join(names, ", "));
        return rule;
    }

    void read_numbers(const json::object& object, std::vector<Rule>& rules) {
        using Kind = NumberRule::Kind;
        // Draft 4 has the limit in one keyword and that it is exclusive in the other.
        const auto kind = [&](const char* exclusive, Kind if_not, Kind if_so) {
            return is_true(object.if_contains(exclusive)) ? if_so : if_not;
        };
        read_number(object, "minimum", kind("exclusiveMinimum", Kind::minimum, Kind::above), rules);
        read_number(object, "maximum", kind("exclusiveMaximum", Kind::maximum, Kind::below), rules);
        read_number(object, "exclusiveMinimum", Kind::above, rules);
        read_number(object, "exclusiveMaximum", Kind::below, rules);
        read_number(object, "multipleOf", Kind::multiple_of, rules);
    }

    void read_number(const json::object& object, std::string_view keyword, NumberRule::Kind kind,
                     std::vector<Rule>& rules) {
        const auto* value = object.if_contains(keyword);
        if (value == nullptr || value->is_bool()) return;
        const auto number = *number_of(*value);
        if (!std::isfinite(number.value)) fail_at(keyword, "must be a number that a double can hold");
        rules.emplace_back(
            NumberRule{kind, number,
                       number.is_integer ? json::serialize(*value) : fmt::format("{}", value->get_double())});
    }

    void read_texts(const json::object& object, std::vector<Rule>& rules) {
        read_sizes(object, SizeRule::Of::characters, "minLength", "maxLength", rules);
        const auto* given = object.if_contains("pattern");
        if (given == nullptr) return;
        at_.emplace_back("pattern");
        if (auto pattern = read_pattern(view(given->get_string()))) rules.emplace_back(PatternRule{*pattern});
        at_.pop_back();
    }

    // Nothing where it need not work.
    std::optional<TextPattern> read_pattern(std::string_view text) {
        if (purpose_ == Purpose::documented) return std::nullopt;
        if (++compiled_.patterns > JsonSchema::most_patterns)
            fail(fmt::format("at most {} patterns are allowed in a schema", JsonSchema::most_patterns));
        auto pattern = TextPattern::compile(text);
        if (const auto* rule = std::get_if<std::string>(&pattern)) fail(*rule);
        return std::get<TextPattern>(std::move(pattern));
    }

    static void read_sizes(const json::object& object, SizeRule::Of of, std::string_view least,
                           std::string_view most, std::vector<Rule>& rules) {
        SizeRule rule{.of = of};
        const auto* lower = object.if_contains(least);
        const auto* upper = object.if_contains(most);
        if (lower != nullptr) rule.least = size_of(*lower);
        if (upper != nullptr) rule.most = size_of(*upper);
        if (lower != nullptr || upper != nullptr) rules.emplace_back(rule);
    }

    void read_arrays(const json::object& object, std::vector<Rule>& rules) {
        read_sizes(object, SizeRule::Of::items, "minItems", "maxItems", rules);
        if (is_true(object.if_contains("uniqueItems"))) rules.emplace_back(UniqueRule{});
        if (const auto* contained = object.if_contains("contains"))
            rules.emplace_back(ContainsRule{add_at(*contained, "contains")});
        const auto* items = object.if_contains("items");
        if (items == nullptr) return;
        ItemsRule rule;
        if (const auto* list = items->if_array()) {
            rule.first = add_all(*list, "items");
            if (const auto* rest = object.if_contains("additionalItems"))
                rule.rest = add_at(*rest, "additionalItems");
        } else {
            rule.rest = add_at(*items, "items");
        }
        rules.emplace_back(std::move(rule));
    }

    void read_objects(const json::object& object, std::vector<Rule>& rules) {
        read_sizes(object, SizeRule::Of::properties, "minProperties", "maxProperties", rules);
        if (const auto* required = object.if_contains("required"))
            rules.emplace_back(RequiredRule{names_of(required->get_array())});
        read_properties(object, rules);
        if (const auto* names = object.if_contains("propertyNames"))
            rules.emplace_back(PropertyNamesRule{add_at(*names, "propertyNames")});
        if (const auto* dependencies = object.if_contains("dependencies"))
            for (const auto& [name, then] : dependencies->get_object()) {
                DependencyRule rule{std::string(name), {}};
                if (const auto* names = then.if_array())
                    rule.then = names_of(*names);
                else
                    rule.then = add_at(then, "dependencies", view(name));
                rules.emplace_back(std::move(rule));
            }
    }

    void read_properties(const json::object& object, std::vector<Rule>& rules) {
        const auto* named = object.if_contains("properties");
        const auto* patterns = object.if_contains("patternProperties");
        const auto* rest = object.if_contains("additionalProperties");
        if (named == nullptr && patterns == nullptr && rest == nullptr) return;
        PropertiesRule rule;
        if (named != nullptr)
            for (const auto& [name, schema] : named->get_object())
                rule.named.emplace(name, add_at(schema, "properties", view(name)));
        if (patterns != nullptr)
            for (const auto& [text, schema] : patterns->get_object()) {
                at_.insert(at_.end(), {"patternProperties", std::string(text)});
                const auto node = add(schema);
                if (auto pattern = read_pattern(view(text))) rule.patterns.emplace_back(*pattern, node);
                at_.resize(at_.size() - 2);
            }
        if (rest != nullptr) rule.rest = add_at(*rest, "additionalProperties");
        rules.emplace_back(std::move(rule));
    }

    void read_combinations(const json::object& object, std::vector<Rule>& rules) {
        using Kind = Combination::Kind;
        const auto read_list = [&](std::string_view keyword, Kind kind) {
            if (const auto* list = object.if_contains(keyword))
                rules.emplace_back(Combination{kind, add_all(list->get_array(), keyword)});
        };
        read_list("allOf", Kind::all_of);
        read_list("anyOf", Kind::any_of);
        read_list("oneOf", Kind::one_of);
        if (const auto* refused = object.if_contains("not"))
            rules.emplace_back(Combination{Kind::none_of, {add_at(*refused, "not")}});
        const auto* condition = object.if_contains("if");
        if (condition == nullptr) return;
        Conditional rule{add_at(*condition, "if"), {}, {}};
        if (const auto* then = object.if_contains("then")) rule.then = add_at(*then, "then");
        if (const auto* otherwise = object.if_contains("else")) rule.otherwise = add_at(*otherwise, "else");
        rules.emplace_back(rule);
    }

    // What is wrong in one that nothing refers to is wrong all the same.
    void read_definitions(const json::object& object) {
        const auto* definitions = object.if_contains("definitions");
        if (definitions == nullptr) return;
        for (const auto& [name, schema] : definitions->get_object())
            add_at(schema, "definitions", view(name));
    }

    Nodes add_all(const json::array& list, std::string_view keyword) {
        Nodes nodes;
        for (std::size_t i = 0; i < list.size(); ++i)
            nodes.push_back(add_at(list[i], keyword, std::to_string(i)));
        return nodes;
    }

    // ---- loops

    // The schemas that a schema holds against the very same value.
    static Nodes in_place(const std::vector<Rule>& rules) {
        Nodes nodes;
        for (const auto& rule : rules) {
            if (const auto* reference = std::get_if<Reference>(&rule)) nodes.push_back(reference->to);
            if (const auto* combination = std::get_if<Combination>(&rule))
                nodes.insert(nodes.end(), combination->nodes.begin(), combination->nodes.end());
            if (const auto* conditional = std::get_if<Conditional>(&rule)) {
                nodes.push_back(conditional->condition);
                if (conditional->then) nodes.push_back(*conditional->then);
                if (conditional->otherwise) nodes.push_back(*conditional->otherwise);
            }
            const auto* dependency = std::get_if<DependencyRule>(&rule);
            if (dependency != nullptr && std::holds_alternative<NodeIndex>(dependency->then))
                nodes.push_back(std::get<NodeIndex>(dependency->then));
        }
        return nodes;
    }

    // A schema that refers to itself must do so for a part of the value, or holding it to a value never ends.
    void check_for_loops() {
        enum class State { new_to_us, under_way, done };
        std::vector<State> states(compiled_.nodes.size(), State::new_to_us);
        struct Visit {
            NodeIndex node;
            Nodes open;
        };
        for (NodeIndex start = 0; start < states.size(); ++start) {
            std::vector<Visit> path;
            const auto enter = [&](NodeIndex node) {
                if (states[node] == State::under_way) {
                    at_ = places_[node];
                    fail("refers to itself without going into the value");
                }
                if (states[node] == State::done) return;
                states[node] = State::under_way;
                path.push_back({node, in_place(compiled_.nodes[node])});
            };
            enter(start);
            while (!path.empty()) {
                if (path.back().open.empty()) {
                    states[path.back().node] = State::done;
                    path.pop_back();
                    continue;
                }
                const auto next = path.back().open.back();
                path.back().open.pop_back();
                enter(next);
            }
        }
    }

    const json::value& root_;
    const Draft draft_;
    const Purpose purpose_;
    const Compiled* meta_schema_;
    Compiled compiled_;
    std::vector<std::string> at_;  // the schema that is being read
    std::unordered_map<const json::value*, NodeIndex> known_;
    std::vector<std::vector<std::string>> places_;  // by node
    std::vector<OpenReference> references_;
};

}  // namespace

Compiled compile(const json::value& schema, Draft draft, Purpose purpose, const Compiled* meta_schema) {
    return Compiler(schema, draft, purpose, meta_schema).run();
}

}  // namespace posthorn::domain::schema
