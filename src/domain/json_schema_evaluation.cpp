#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <ctime>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/encoding.hpp"
#include "domain/json_pointer.hpp"
#include "domain/json_schema_compiler.hpp"

namespace posthorn::domain::schema {

namespace json = boost::json;

namespace {

constexpr std::size_t longest_step_bytes =
    128;  // of a violation's path: a property's name may be the client's
constexpr std::size_t longest_value_bytes = 64;  // shown in a rule
constexpr std::size_t values_shown = 20;         // likewise
constexpr std::size_t branches_explained = 4;    // of anyOf and oneOf

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }
std::string_view view(json::string_view text) { return {text.data(), text.size()}; }

// A pattern's cost is what it takes at worst, a hundred times more than usual: what it really takes is seen
// by the thread's clock, looked at now and then.
constexpr std::size_t pattern_cost_between_looks = 1'000'000;

struct TooMuchWork {};

std::chrono::nanoseconds cpu_time() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

std::size_t characters_of(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string cut(std::string_view text, std::size_t bytes) {
    if (text.size() <= bytes) return std::string(text);
    while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) --bytes;
    return std::string(text.substr(0, bytes)) + "...";
}

std::string shown(const json::value& value) { return cut(json::serialize(value), longest_value_bytes); }

unsigned type_of(const json::value& value) {
    switch (value.kind()) {
        case json::kind::null:
            return TypeRule::null;
        case json::kind::bool_:
            return TypeRule::boolean;
        case json::kind::int64:
        case json::kind::uint64:
            return TypeRule::integer;
        case json::kind::double_:  // 1.0 is an integer
            return std::trunc(value.get_double()) == value.get_double() ? TypeRule::integer
                                                                        : TypeRule::number;
        case json::kind::string:
            return TypeRule::string;
        case json::kind::array:
            return TypeRule::array;
        case json::kind::object:
            return TypeRule::object;
    }
    return 0;
}

bool is_beyond_range(const json::value& value) {
    return value.is_double() && !std::isfinite(value.get_double());
}

std::size_t mixed(std::size_t hash) {
    hash *= 0x9E3779B97F4A7C15U;
    return hash ^ (hash >> 32U);
}

// One evaluation: a walk through the value and the schema together, that counts its steps.
class Evaluation {
public:
    explicit Evaluation(const Compiled& compiled) : compiled_(compiled) {}

    std::vector<SchemaViolation> run(const json::value& value) {
        try {
            check(0, value);
        } catch (const TooMuchWork&) {
            return {{{}, "is too large, or its schema too intricate, to be checked"}};
        }
        return std::move(violations_);
    }

private:
    using Step = std::variant<std::string_view, std::size_t>;

    void spend(std::size_t steps) {
        if (steps > steps_left_) throw TooMuchWork{};
        steps_left_ -= steps;
    }
    void spend_on_text(std::size_t bytes) { spend(1 + bytes / JsonSchema::text_bytes_a_step); }

    bool check(NodeIndex node, const json::value& value) {
        spend(1);
        if (depth_ == JsonSchema::deepest) throw TooMuchWork{};
        ++depth_;
        const auto& rules = compiled_.nodes[node];
        bool valid = rules.empty() || !is_beyond_range(value) ||
                     broken([] { return "is a number beyond the range of a double"; });
        for (const auto& rule : rules) {
            if (!valid && (silent_ || violations_.size() >= most_violations_)) break;
            spend(1);
            valid &= std::visit([&](const auto& one) { return apply(one, value); }, rule);
        }
        --depth_;
        return valid;
    }

    bool check_at(Step step, NodeIndex node, const json::value& value) {
        path_.push_back(step);
        const bool valid = check(node, value);
        path_.pop_back();
        return valid;
    }

    // Whether it fits, without a word.
    bool fits(NodeIndex node, const json::value& value) {
        const bool before = std::exchange(silent_, true);
        const bool valid = check(node, value);
        silent_ = before;
        return valid;
    }

    template <class MakeRule>
    bool broken(const MakeRule& make_rule) {
        if (silent_ || violations_.size() >= most_violations_) return false;
        SchemaViolation violation{{}, make_rule()};
        for (const auto& step : path_) {
            if (const auto* name = std::get_if<std::string_view>(&step))
                violation.path.push_back(cut(*name, longest_step_bytes));
            else
                violation.path.push_back(std::to_string(std::get<std::size_t>(step)));
        }
        violations_.push_back(std::move(violation));
        return false;
    }

    // ---- any kind

    bool apply(const Never&, const json::value&) {
        return broken([] { return "is not allowed"; });
    }

    bool apply(const Reference& rule, const json::value& value) { return check(rule.to, value); }

    bool apply(const TypeRule& rule, const json::value& value) {
        return (rule.allowed & type_of(value)) != 0 ||
               broken([&] { return fmt::format("must be of type {}", rule.names); });
    }

    bool apply(const EnumRule& rule, const json::value& value) {
        const auto is_it = [&](const json::value& allowed) { return equal(value, allowed); };
        return std::any_of(rule.values.begin(), rule.values.end(), is_it) || broken([&] {
                   std::vector<std::string> names;
                   for (const auto& allowed : rule.values) {
                       if (names.size() == values_shown) break;
                       names.push_back(shown(allowed));
                   }
                   return fmt::format("must be one of {}{}", fmt::join(names, ", "),
                                      names.size() < rule.values.size() ? ", ..." : "");
               });
    }

    bool apply(const ConstRule& rule, const json::value& value) {
        return equal(value, rule.value) || broken([&] { return "must be " + shown(rule.value); });
    }

    // ---- numbers and texts

    bool apply(const NumberRule& rule, const json::value& value) {
        const auto number = number_of(value);
        if (!number || fulfils(*number, rule)) return true;
        return broken([&] {
            constexpr const char* words[] = {"at least", "at most", "more than", "less than",
                                             "a multiple of"};
            return fmt::format("must be {} {}", words[static_cast<std::size_t>(rule.kind)], rule.shown);
        });
    }

    static bool fulfils(const Number& number, const NumberRule& rule) {
        switch (rule.kind) {
            case NumberRule::Kind::minimum:
                return compare(number, rule.limit) >= 0;
            case NumberRule::Kind::maximum:
                return compare(number, rule.limit) <= 0;
            case NumberRule::Kind::above:
                return compare(number, rule.limit) > 0;
            case NumberRule::Kind::below:
                return compare(number, rule.limit) < 0;
            case NumberRule::Kind::multiple_of:
                return is_multiple(number, rule.limit);
        }
        return false;
    }

    bool apply(const SizeRule& rule, const json::value& value) {
        const auto size = size_of(rule.of, value);
        if (!size || (*size >= rule.least && *size <= rule.most)) return true;
        return broken([&] {
            constexpr const char* words[] = {"characters", "items", "properties"};
            const bool few = *size < rule.least;
            return fmt::format("must have at {} {} {}", few ? "least" : "most", few ? rule.least : rule.most,
                               words[static_cast<std::size_t>(rule.of)]);
        });
    }

    std::optional<std::size_t> size_of(SizeRule::Of what, const json::value& value) {
        if (what == SizeRule::Of::characters && value.is_string()) {
            spend_on_text(value.get_string().size());
            return characters_of(view(value.get_string()));
        }
        if (what == SizeRule::Of::items && value.is_array()) return value.get_array().size();
        if (what == SizeRule::Of::properties && value.is_object()) return value.get_object().size();
        return std::nullopt;
    }

    bool apply(const PatternRule& rule, const json::value& value) {
        if (!value.is_string() || is_found(rule.pattern, view(value.get_string()))) return true;
        return broken(
            [&] { return "must match the pattern " + cut(rule.pattern.text(), longest_value_bytes); });
    }

    bool is_found(const TextPattern& pattern, std::string_view text) {
        spend_on_text(text.size());
        const auto cost = pattern.cost(text.size());
        if (cost > JsonSchema::most_pattern_cost) throw TooMuchWork{};
        pattern_cost_ += cost;
        if (pattern_cost_ > pattern_cost_between_looks) {
            pattern_cost_ = 0;
            if (cpu_time() - began_ > JsonSchema::longest_cpu_time) throw TooMuchWork{};
        }
        return pattern.is_found_in(text);
    }

    // ---- arrays

    bool apply(const ItemsRule& rule, const json::value& value) {
        const auto* array = value.if_array();
        if (array == nullptr) return true;
        bool valid = true;
        for (std::size_t i = 0; i < array->size(); ++i) {
            if (!valid && silent_) break;
            if (i < rule.first.size())
                valid &= check_at(i, rule.first[i], (*array)[i]);
            else if (rule.rest)
                valid &= check_at(i, *rule.rest, (*array)[i]);
        }
        return valid;
    }

    // Equal values have equal hashes, so only those are compared.
    bool apply(const UniqueRule&, const json::value& value) {
        const auto* array = value.if_array();
        if (array == nullptr) return true;
        std::vector<std::pair<std::size_t, std::size_t>> hashes;
        for (std::size_t i = 0; i < array->size(); ++i) hashes.emplace_back(hash_of((*array)[i]), i);
        std::sort(hashes.begin(), hashes.end());
        for (std::size_t i = 0; i < hashes.size(); ++i)
            for (std::size_t j = i + 1; j < hashes.size() && hashes[j].first == hashes[i].first; ++j)
                if (equal((*array)[hashes[i].second], (*array)[hashes[j].second]))
                    return broken([&] {
                        return fmt::format("must not hold an item twice: {} and {} are equal",
                                           hashes[i].second, hashes[j].second);
                    });
        return true;
    }

    bool apply(const ContainsRule& rule, const json::value& value) {
        const auto* array = value.if_array();
        if (array == nullptr) return true;
        const auto is_it = [&](const json::value& item) { return fits(rule.node, item); };
        return std::any_of(array->begin(), array->end(), is_it) ||
               broken([] { return "must hold an item as `contains` describes it"; });
    }

    // ---- objects

    bool apply(const RequiredRule& rule, const json::value& value) {
        return !value.is_object() || has_all(value.get_object(), rule.names);
    }

    bool has_all(const json::object& object, const std::vector<std::string>& names) {
        bool valid = true;
        for (const auto& name : names) {
            spend(1);
            if (!object.contains(name))
                valid = broken(
                    [&] { return fmt::format("must have the property {}", shown(json::value(name))); });
        }
        return valid;
    }

    bool apply(const PropertiesRule& rule, const json::value& value) {
        const auto* object = value.if_object();
        if (object == nullptr) return true;
        bool valid = true;
        for (const auto& [key, member] : *object) {
            if (!valid && silent_) break;
            const auto name = view(key);
            const auto named = rule.named.find(name);
            bool is_known = named != rule.named.end();
            spend_on_text(name.size());
            if (is_known) valid &= check_at(name, named->second, member);
            for (const auto& [pattern, node] : rule.patterns) {
                if (!is_found(pattern, name)) continue;
                is_known = true;
                valid &= check_at(name, node, member);
            }
            if (!is_known && rule.rest) valid &= check_at(name, *rule.rest, member);
        }
        return valid;
    }

    bool apply(const PropertyNamesRule& rule, const json::value& value) {
        const auto* object = value.if_object();
        if (object == nullptr) return true;
        for (const auto& member : *object) {
            spend_on_text(member.key().size());
            if (fits(rule.node, json::value(member.key()))) continue;
            path_.emplace_back(view(member.key()));
            broken([] { return "has a name that `propertyNames` does not allow"; });
            path_.pop_back();
            return false;
        }
        return true;
    }

    bool apply(const DependencyRule& rule, const json::value& value) {
        if (!value.is_object() || !value.get_object().contains(rule.property)) return true;
        if (const auto* names = std::get_if<std::vector<std::string>>(&rule.then))
            return has_all(value.get_object(), *names);
        return check(std::get<NodeIndex>(rule.then), value);
    }

    // ---- combinations

    bool apply(const Combination& rule, const json::value& value) {
        switch (rule.kind) {
            case Combination::Kind::all_of: {
                bool valid = true;
                for (const auto node : rule.nodes) {
                    if (!valid && silent_) break;
                    valid &= check(node, value);
                }
                return valid;
            }
            case Combination::Kind::any_of:
                return std::any_of(rule.nodes.begin(), rule.nodes.end(),
                                   [&](NodeIndex node) { return fits(node, value); }) ||
                       broken_by_all(rule, value);
            case Combination::Kind::one_of: {
                std::size_t count = 0;
                for (const auto node : rule.nodes) count += fits(node, value) && count < 2 ? 1 : 0;
                if (count == 0) return broken_by_all(rule, value);
                return count == 1 ||
                       broken([] { return "must be as exactly one of the schemas of `oneOf` wants it"; });
            }
            case Combination::Kind::none_of:
                return !fits(rule.nodes.front(), value) ||
                       broken([] { return "must not be as `not` describes it"; });
        }
        return false;
    }

    bool broken_by_all(const Combination& rule, const json::value& value) {
        return broken([&] {
            const auto* word = rule.kind == Combination::Kind::any_of ? "anyOf" : "oneOf";
            return fmt::format("must be as one of the schemas of `{}` wants it{}", word,
                               reasons(rule.nodes, value));
        });
    }

    // What the first few say, each in short. One level of them: those within are not explained.
    std::string reasons(const Nodes& nodes, const json::value& value) {
        if (explaining_ || nodes.size() > branches_explained) return "";
        std::vector<std::string> list;
        for (const auto node : nodes) {
            auto path = std::exchange(path_, {});
            auto violations = std::exchange(violations_, {});
            const auto most = std::exchange(most_violations_, 1);
            explaining_ = true;
            check(node, value);
            explaining_ = false;
            most_violations_ = most;
            std::swap(violations, violations_);
            path_ = std::move(path);
            const auto& first = violations.front();
            const auto pointer = to_pointer(first.path);
            list.push_back(pointer.empty() ? first.rule : pointer + " " + first.rule);
        }
        return fmt::format(": {}", fmt::join(list, ", or "));
    }

    bool apply(const Conditional& rule, const json::value& value) {
        const auto& next = fits(rule.condition, value) ? rule.then : rule.otherwise;
        return !next || check(*next, value);
    }

    // ---- equality

    bool equal(const json::value& a, const json::value& b) {
        spend(1);
        const auto left = number_of(a), right = number_of(b);
        if (left && right)
            return is_beyond_range(b) ? left->value == right->value : compare(*left, *right) == 0;
        if (a.kind() != b.kind()) return false;
        if (const auto* text = a.if_string()) {
            spend_on_text(std::min(text->size(), b.get_string().size()));
            return *text == b.get_string();
        }
        if (const auto* array = a.if_array())
            return std::equal(array->begin(), array->end(), b.get_array().begin(), b.get_array().end(),
                              [&](const json::value& x, const json::value& y) { return equal(x, y); });
        if (const auto* object = a.if_object()) return equal_objects(*object, b.get_object());
        return a == b;
    }

    bool equal_objects(const json::object& a, const json::object& b) {
        if (a.size() != b.size()) return false;
        return std::all_of(a.begin(), a.end(), [&](const auto& member) {
            spend_on_text(member.key().size());
            const auto* other = b.if_contains(member.key());
            return other != nullptr && equal(member.value(), *other);
        });
    }

    std::size_t hash_of(const json::value& value) {
        spend(1);
        if (const auto number = number_of(value)) return hash_of(*number);
        if (const auto* text = value.if_string()) {
            spend_on_text(text->size());
            return std::hash<std::string_view>{}(view(*text));
        }
        std::size_t hash = static_cast<std::size_t>(value.kind());
        if (value.is_bool()) hash += value.get_bool() ? 32 : 64;
        if (const auto* array = value.if_array())
            for (const auto& item : *array) hash = mixed(hash) + hash_of(item);
        if (const auto* object = value.if_object())  // whatever the order
            for (const auto& member : *object) {
                spend_on_text(member.key().size());
                hash +=
                    mixed(std::hash<std::string_view>{}(view(member.key())) ^ mixed(hash_of(member.value())));
            }
        return hash;
    }

    // 1.0 is 1, and what differs by reading alone is nearly always the same: to 40 bits.
    static std::size_t hash_of(const Number& number) {
        constexpr int bits = 40;
        if (!std::isfinite(number.value)) return 1;
        if (std::trunc(number.value) == number.value) return std::hash<long double>{}(number.value);
        int exponent = 0;
        const auto fraction = std::frexp(number.value, &exponent);
        return std::hash<long double>{}(std::ldexp(std::nearbyint(std::ldexp(fraction, bits)), exponent));
    }

    const Compiled& compiled_;
    const std::chrono::nanoseconds began_ = cpu_time();
    std::size_t steps_left_ = JsonSchema::most_steps;
    std::size_t pattern_cost_ = 0;  // since the last look at the clock
    std::size_t depth_ = 0;
    std::vector<Step> path_;  // names belong to the value
    bool silent_ = false;
    bool explaining_ = false;
    std::size_t most_violations_ = JsonSchema::most_violations;
    std::vector<SchemaViolation> violations_;
};

}  // namespace

std::vector<SchemaViolation> evaluate(const Compiled& compiled, const json::value& value) {
    return Evaluation(compiled).run(value);
}

}  // namespace posthorn::domain::schema
