#include "domain/payload_filter.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <compare>
#include <fmt/format.h>
#include <optional>

#include "domain/address_rules.hpp"
#include "domain/json_number.hpp"
#include "domain/wildcard.hpp"

namespace posthorn::domain {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

constexpr int deepest = 12;
constexpr std::size_t most_values = 200;
constexpr std::size_t longest_text_bytes = 256;
constexpr std::size_t deepest_payload = 128;
constexpr std::string_view alternatives_key = "$or";

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

// Letters compare without case in ASCII alone.
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal(std::string_view a, std::string_view b, bool ignore_case) {
    if (!ignore_case) return a == b;
    return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

bool is_same(const json::value& value, const json::value& wanted) {
    const auto number = number_of(value), wanted_number = number_of(wanted);
    if (number && wanted_number) return compare(*number, *wanted_number) == 0;
    return value == wanted;  // of different kinds, so unequal, if one is a number
}

// Nothing for what goes beyond an address: a NUL, at which make_address would stop, or a zone, for which it
// would ask the system's interfaces.
std::optional<asio::ip::address> address_of(std::string_view text) {
    constexpr std::size_t longest = 45;  // of an IPv6 address: RFC 4291, 2.2 with an IPv4 address at the end
    if (text.size() > longest || text.find_first_of(std::string_view("%\0", 2)) != std::string_view::npos)
        return std::nullopt;
    boost::system::error_code error;
    const auto address = asio::ip::make_address(std::string(text), error);
    return error ? std::nullopt : std::optional(address);
}

// One of a field's conditions.
struct Matcher {
    enum class Kind { equals, exists, text, prefix, suffix, wildcard, numeric, network, anything_but };

    explicit Matcher(Kind of = Kind::equals) : kind(of) {}

    Kind kind;
    json::value literal = nullptr;  // equals
    bool wanted = true;             // exists
    std::string text;               // text, prefix, suffix
    bool ignore_case = false;
    struct Bound {
        std::string sign;
        Number number;
    };
    std::vector<Bound> bounds;  // numeric: all of them
    std::optional<Wildcard> pattern;
    std::optional<Network> network;
    std::vector<Matcher> none_of;  // anything_but

    // value: neither array nor object.
    bool matches(const json::value& value) const {
        switch (kind) {
            case Kind::equals:
                return is_same(value, literal);
            case Kind::exists:
                return wanted;
            case Kind::numeric:
                return is_within(value);
            case Kind::anything_but:
                return std::none_of(none_of.begin(), none_of.end(),
                                    [&](const Matcher& other) { return other.matches(value); });
            default:
                return value.is_string() && matches_text(view(value.get_string()));
        }
    }

private:
    bool matches_text(std::string_view value) const {
        switch (kind) {
            case Kind::text:
                return equal(value, text, ignore_case);
            case Kind::prefix:
                return value.size() >= text.size() && equal(value.substr(0, text.size()), text, ignore_case);
            case Kind::suffix:
                return value.size() >= text.size() &&
                       equal(value.substr(value.size() - text.size()), text, ignore_case);
            case Kind::wildcard:
                return pattern->matches(value);
            default: {
                const auto address = address_of(value);
                return address && network->contains(*address);
            }
        }
    }

    bool is_within(const json::value& value) const {
        const auto number = number_of(value);
        if (!number) return false;
        return std::all_of(bounds.begin(), bounds.end(), [&](const Bound& bound) {
            const auto order = compare(*number, bound.number);
            if (bound.sign == "=") return order == 0;
            if (bound.sign == "<") return order < 0;
            if (bound.sign == "<=") return order <= 0;
            if (bound.sign == ">") return order > 0;
            return order >= 0;
        });
    }
};

}  // namespace

// All of its fields, and one of each of its alternatives.
struct PayloadFilter::Pattern {
    struct Field {
        std::string name;
        std::vector<Matcher> conditions;        // one of them; or
        std::unique_ptr<const Pattern> nested;  // of an object in the payload
    };
    std::vector<Field> fields;
    std::vector<std::vector<Pattern>> alternatives;

    // value: nullptr where there is none. Of an array, one element must match as a whole.
    bool matches(const json::value* value) const {
        if (value != nullptr && value->is_array() && !value->get_array().empty())
            return std::any_of(value->get_array().begin(), value->get_array().end(),
                               [&](const json::value& element) { return matches(&element); });
        const auto* object = value == nullptr ? nullptr : value->if_object();
        const bool fields_match = std::all_of(fields.begin(), fields.end(), [&](const Field& field) {
            return matches(field, object == nullptr ? nullptr : object->if_contains(field.name));
        });
        return fields_match &&
               std::all_of(alternatives.begin(), alternatives.end(), [&](const std::vector<Pattern>& any) {
                   return std::any_of(any.begin(), any.end(),
                                      [&](const Pattern& pattern) { return pattern.matches(value); });
               });
    }

private:
    static bool matches(const Field& field, const json::value* value) {
        if (field.nested) return field.nested->matches(value);
        if (value != nullptr && value->is_array() && !value->get_array().empty())
            return std::any_of(value->get_array().begin(), value->get_array().end(),
                               [&](const json::value& element) { return matches(field, &element); });
        const bool is_there = value != nullptr && !value->is_array();
        return std::any_of(field.conditions.begin(), field.conditions.end(), [&](const Matcher& condition) {
            if (condition.kind == Matcher::Kind::exists) return condition.wanted == is_there;
            return is_there && !value->is_object() && condition.matches(*value);
        });
    }
};

struct PayloadFilter::Parser {
    std::vector<std::string> at;  // where in the filter we are
    std::size_t values = 0;

    [[noreturn]] void fail(std::string rule) const { throw FilterError{at, std::move(rule)}; }

    // Goes down one step for as long as it lives. An error keeps the step: it is thrown with a copy of `at`.
    struct Step {
        Step(Parser& of, std::string_view name) : parser(of) { parser.at.emplace_back(name); }
        Step(const Step&) = delete;
        Step& operator=(const Step&) = delete;
        ~Step() { parser.at.pop_back(); }
        Parser& parser;
    };

    void count() {
        if (++values > most_values) fail(fmt::format("a filter has at most {} values", most_values));
    }

    Pattern pattern(const json::object& object, int level) {
        if (level > deepest) fail(fmt::format("a filter is nested at most {} levels deep", deepest));
        if (object.empty()) fail("must name at least one field");
        Pattern made;
        for (const auto& entry : object) {
            const std::string_view name(entry.key().data(), entry.key().size());
            const Step step(*this, name);
            if (name.size() > longest_text_bytes)
                fail(fmt::format("must have at most {} bytes", longest_text_bytes));
            if (name == alternatives_key)
                made.alternatives.push_back(alternatives(entry.value(), level));
            else
                made.fields.push_back(field(name, entry.value(), level));
        }
        return made;
    }

    std::vector<Pattern> alternatives(const json::value& value, int level) {
        const auto* list = value.if_array();
        if (list == nullptr || list->size() < 2) fail("must be an array of at least two objects");
        std::vector<Pattern> made;
        for (std::size_t i = 0; i < list->size(); ++i) {
            const Step step(*this, std::to_string(i));
            count();
            const auto* object = (*list)[i].if_object();
            if (object == nullptr) fail("must be an object");
            made.push_back(pattern(*object, level + 1));
        }
        return made;
    }

    Pattern::Field field(std::string_view name, const json::value& value, int level) {
        count();
        if (const auto* object = value.if_object())
            return {std::string(name), {}, std::make_unique<const Pattern>(pattern(*object, level + 1))};
        const auto* list = value.if_array();
        if (list == nullptr) fail("must be an array of values and conditions, or an object");
        if (list->empty()) fail("must have at least one value or condition");
        return {std::string(name), conditions(*list), nullptr};
    }

    std::vector<Matcher> conditions(const json::array& list) {
        std::vector<Matcher> made;
        for (std::size_t i = 0; i < list.size(); ++i) {
            const Step step(*this, std::to_string(i));
            made.push_back(condition(list[i]));
        }
        return made;
    }

    Matcher condition(const json::value& value) {
        if (value.is_array()) fail("must be a value or a condition");
        const auto* object = value.if_object();
        if (object == nullptr) return literal(value);
        if (object->size() != 1) fail("a condition is an object with one member");
        const std::string_view name(object->begin()->key().data(), object->begin()->key().size());
        const Step step(*this, name);
        return condition(name, object->begin()->value());
    }

    Matcher condition(std::string_view name, const json::value& value) {
        count();
        if (name == "exists") {
            if (!value.is_bool()) fail("must be true or false");
            Matcher made(Matcher::Kind::exists);
            made.wanted = value.get_bool();
            return made;
        }
        if (name == "numeric") return numeric(value);
        if (name == "anything-but") return anything_but(value);
        if (name == "cidr") return network(value);
        return text_condition(name, value);
    }

    Matcher literal(const json::value& value) {
        count();
        if (value.is_string()) text(value);
        if (value.is_number()) number(value);
        Matcher made;
        made.literal = value;
        return made;
    }

    std::string text(const json::value& value) {
        const auto* given = value.if_string();
        if (given == nullptr) fail("must be a string");
        if (given->size() > longest_text_bytes)
            fail(fmt::format("must have at most {} bytes", longest_text_bytes));
        return std::string(view(*given));
    }

    Number number(const json::value& value) {
        const auto given = number_of(value);
        if (!given) fail("must be a number");
        if (!std::isfinite(given->value)) fail("must be a number that a double can hold");
        return *given;
    }

    Matcher text_condition(std::string_view name, const json::value& value) {
        Matcher made;
        if (name == "prefix" || name == "suffix") {
            made.kind = name == "prefix" ? Matcher::Kind::prefix : Matcher::Kind::suffix;
            const auto* object = value.if_object();
            if (object != nullptr && object->size() == 1 && object->contains("equals-ignore-case")) {
                const Step step(*this, "equals-ignore-case");
                made.ignore_case = true;
                made.text = text(object->at("equals-ignore-case"));
                return made;
            }
        } else if (name == "equals-ignore-case") {
            made.kind = Matcher::Kind::text;
            made.ignore_case = true;
        } else if (name == "wildcard") {
            made.kind = Matcher::Kind::wildcard;
            made.pattern = Wildcard::parse(text(value));
            if (!made.pattern) fail("must have * or \\ after a backslash");
            return made;
        } else {
            fail(
                "is no condition: there are prefix, suffix, equals-ignore-case, wildcard, anything-but, "
                "numeric, exists and cidr");
        }
        made.text = text(value);
        return made;
    }

    Matcher numeric(const json::value& value) {
        const auto* list = value.if_array();
        if (list == nullptr || list->empty() || list->size() % 2 != 0 || list->size() > 4)
            fail("must be one or two pairs of a sign and a number, such as [\">\", 0, \"<=\", 5]");
        Matcher made(Matcher::Kind::numeric);
        for (std::size_t i = 0; i < list->size(); i += 2) {
            const auto* sign = (*list)[i].if_string();
            const bool known = sign != nullptr && (*sign == "=" || *sign == "<" || *sign == "<=" ||
                                                   *sign == ">" || *sign == ">=");
            if (!known) {
                const Step step(*this, std::to_string(i));
                fail("must be one of: =, <, <=, >, >=");
            }
            const Step step(*this, std::to_string(i + 1));
            made.bounds.push_back({std::string(view(*sign)), number((*list)[i + 1])});
        }
        return made;
    }

    Matcher network(const json::value& value) {
        Matcher made(Matcher::Kind::network);
        const auto given = text(value);
        const auto parsed = parse_networks(given);
        if (!parsed || parsed->size() != 1 || given.find('\0') != std::string::npos)
            fail("must be a network such as 10.0.0.0/8 or 2001:db8::/32");
        made.network = parsed->front();
        return made;
    }

    Matcher anything_but(const json::value& value) {
        Matcher made(Matcher::Kind::anything_but);
        if (const auto* object = value.if_object()) {
            if (object->size() != 1) fail("a condition is an object with one member");
            const std::string_view name(object->begin()->key().data(), object->begin()->key().size());
            const Step step(*this, name);
            made.none_of = excluded(name, object->begin()->value());
        } else if (const auto* list = value.if_array()) {
            if (list->empty()) fail("must have at least one value");
            for (std::size_t i = 0; i < list->size(); ++i) {
                const Step step(*this, std::to_string(i));
                if ((*list)[i].is_structured()) fail("must be a value");
                made.none_of.push_back(literal((*list)[i]));
            }
        } else {
            made.none_of.push_back(literal(value));
        }
        return made;
    }

    // A condition on texts, or several of the same kind.
    std::vector<Matcher> excluded(std::string_view name, const json::value& value) {
        std::vector<Matcher> made;
        const auto* list = value.if_array();
        if (list == nullptr) {
            count();
            made.push_back(text_condition(name, value));
            return made;
        }
        if (list->empty()) fail("must have at least one value");
        for (std::size_t i = 0; i < list->size(); ++i) {
            const Step step(*this, std::to_string(i));
            count();
            made.push_back(text_condition(name, (*list)[i]));
        }
        return made;
    }
};

std::variant<PayloadFilter, FilterError> PayloadFilter::parse(const json::object& filter) {
    try {
        return PayloadFilter(std::make_shared<const Pattern>(Parser{}.pattern(filter, 1)));
    } catch (FilterError& error) {
        return std::move(error);
    }
}

bool PayloadFilter::matches(std::string_view payload) const {
    json::parse_options options;
    options.max_depth = deepest_payload;
    json::monotonic_resource memory;
    boost::system::error_code error;
    const auto value = json::parse({payload.data(), payload.size()}, error, &memory, options);
    return !error && pattern_->matches(&value);
}

}  // namespace posthorn::domain
