// Our JSON Schema evaluator says what ajv, the npm package, says: of the cases in tests/schema/cases.json and
// of random ones.
#include "domain/json_schema.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <fstream>
#include <iterator>
#include <sstream>

#include "random_schema.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/places.hpp"

using namespace posthorn;
using domain::JsonSchema;
using domain::SchemaProblem;
namespace json = boost::json;

namespace {

constexpr std::size_t random_schemas = 1'000;
constexpr std::size_t values_a_schema = 6;
constexpr std::size_t least_own_pairs = 1'000;

struct Group {
    std::string about;
    json::object schema;
    json::array instances;
};

// A letter an instance, v(alid) or i(nvalid), or "refused: " and why.
using Verdicts = std::string;

bool is_refused(const Verdicts& verdicts) { return verdicts.starts_with("refused: "); }

Verdicts our_verdicts(const Group& group) {
    const auto compiled = JsonSchema::compile(group.schema);
    if (const auto* problem = std::get_if<SchemaProblem>(&compiled))
        return "refused: " + problem->pointer + " " + problem->rule;
    Verdicts verdicts;
    for (const auto& instance : group.instances)
        verdicts += std::get<JsonSchema>(compiled).validate(instance).empty() ? 'v' : 'i';
    return verdicts;
}

std::vector<Verdicts> verdicts_of_ajv(const std::vector<Group>& groups) {
    std::string input;
    for (const auto& group : groups)
        input +=
            json::serialize(json::object{{"schema", group.schema}, {"instances", group.instances}}) + "\n";
    const auto run =
        test::run_program({.program = "/usr/bin/env",
                           .arguments = {"node", test::source_directory() / "tests/schema/verdicts.mjs"},
                           .environment = {},
                           .input = std::move(input)});
    INFO(run.errors);
    REQUIRE(run.status == 0);
    std::vector<Verdicts> all;
    std::istringstream lines(run.output);
    for (std::string line; std::getline(lines, line);) all.push_back(line);
    REQUIRE(all.size() == groups.size());
    return all;
}

// Of one part of the cases: "same", "no_schemas", "refused", "different".
std::vector<Group> cases(std::string_view part) {
    std::ifstream in(test::source_directory() / "tests/schema/cases.json", std::ios::binary);
    const auto all = json::parse(std::string(std::istreambuf_iterator<char>(in), {}));
    std::vector<Group> groups;
    for (const auto& entry : all.at(part).as_array()) {
        const auto* instances = entry.as_object().if_contains("instances");
        groups.push_back({entry.at("about").as_string().c_str(), entry.at("schema").as_object(),
                          instances == nullptr ? json::array() : instances->as_array()});
    }
    return groups;
}

// Calls check(group, ours, ajv's); a check that fails is printed with the group.
template <class Check>
void for_each_group(const std::vector<Group>& groups, const Check& check) {
    const auto all = verdicts_of_ajv(groups);
    for (std::size_t i = 0; i < groups.size(); ++i) {
        const auto ours = our_verdicts(groups[i]);
        INFO(groups[i].about << "\nschema:    " << json::serialize(groups[i].schema)
                             << "\nours:      " << ours << "\najv:       " << all[i]);
        check(groups[i], ours, all[i]);
    }
}

void check_instances(const Group& group, const Verdicts& ours, const Verdicts& ajv, bool are_same) {
    REQUIRE(ours.size() == group.instances.size());
    REQUIRE(ajv.size() == group.instances.size());
    for (std::size_t i = 0; i < ours.size(); ++i) {
        INFO("instance:  " << json::serialize(group.instances[i]));
        CHECK((ours[i] == ajv[i]) == are_same);
    }
}

std::vector<Group> random_groups(std::uint64_t seed) {
    std::vector<Group> groups;
    for (std::size_t i = 0; i < random_schemas; ++i) {
        test::RandomSchema random(seed, i);
        Group group{"seed " + std::to_string(seed) + ", number " + std::to_string(i), random.schema(), {}};
        while (group.instances.size() < values_a_schema) group.instances.push_back(random.value());
        groups.push_back(std::move(group));
    }
    return groups;
}

}  // namespace

TEST_CASE("our verdicts on JSON Schema's keywords are ajv's") {
    std::size_t pairs = 0;
    for_each_group(cases("same"), [&](const Group& group, const Verdicts& ours, const Verdicts& ajv) {
        CHECK_FALSE(is_refused(ours));
        CHECK_FALSE(is_refused(ajv));
        if (is_refused(ours) || is_refused(ajv)) return;
        check_instances(group, ours, ajv, true);
        pairs += group.instances.size();
    });
    CHECK(pairs >= least_own_pairs);
}

TEST_CASE("what is no JSON Schema is refused by us and by ajv") {
    for_each_group(cases("no_schemas"), [](const Group&, const Verdicts& ours, const Verdicts& ajv) {
        CHECK(is_refused(ours));
        CHECK(is_refused(ajv));
    });
}

TEST_CASE("what we refuse beyond that is listed with the reason") {
    for_each_group(cases("refused"),
                   [](const Group&, const Verdicts& ours, const Verdicts&) { CHECK(is_refused(ours)); });
}

// A line that has become the same belongs to the others.
TEST_CASE("where we differ from ajv is listed with the reason") {
    for_each_group(cases("different"), [](const Group& group, const Verdicts& ours, const Verdicts& ajv) {
        CHECK_FALSE(is_refused(ours));
        if (!is_refused(ajv)) check_instances(group, ours, ajv, false);
    });
}

TEST_CASE("our verdicts on random schemas and values are ajv's") {
    std::size_t valid = 0, invalid = 0;
    for_each_group(random_groups(7), [&](const Group& group, const Verdicts& ours, const Verdicts& ajv) {
        CHECK(is_refused(ours) == is_refused(ajv));
        if (is_refused(ours) || is_refused(ajv)) return;
        check_instances(group, ours, ajv, true);
        valid += static_cast<std::size_t>(std::ranges::count(ours, 'v'));
        invalid += static_cast<std::size_t>(std::ranges::count(ours, 'i'));
    });
    CHECK(valid >= random_schemas);
    CHECK(invalid >= random_schemas);
}
