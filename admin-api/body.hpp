#pragma once
#include <boost/json/object.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin-api/problems.hpp"
#include "base/clock.hpp"

namespace posthorn::admin {

// The request's body as a JSON object, nested at most limits::body_depth deep. Throws http::ValidationProblem
// (loc
// ["body"]) for anything else.
boost::json::object parse_body(const http::Request& request);

enum class Need {
    required,           // a value
    optional,           // a value or nothing
    nullable,           // a value, null or nothing
    required_nullable,  // a value or null
};

// A field as it came. PATCH tells "not mentioned" from "set to null".
template <class T>
struct Field {
    bool mentioned = false;  // a valid value, or an allowed null
    std::optional<T> value;  // nothing: not mentioned, null, or wrong (then a problem was noted)

    explicit operator bool() const { return value.has_value(); }
    const T& operator*() const { return *value; }
    const T* operator->() const { return &*value; }
    T value_or(T other) const { return value ? *value : std::move(other); }
    // PATCH: where mentioned, the target becomes the value or nothing.
    void patch(std::optional<T>& target) const {
        if (mentioned) target = value;
    }
    void patch(T& target) const {
        if (value) target = *value;
    }
};

struct TextRule {
    std::size_t shortest = 0;
    std::size_t longest = 0;  // code points
    bool name = false;        // [a-zA-Z0-9\-_.]+
    bool wildcard = false;    // a name may end in ".*"
};

struct ListRule {
    std::size_t fewest = 0;
    std::size_t most = 0;
    TextRule item;
};

struct MapRule {
    std::size_t most = 0;
    TextRule key;
    TextRule value;
};

using StringMap = std::map<std::string, std::string, std::less<>>;
using NullableStringMap = std::map<std::string, std::optional<std::string>, std::less<>>;

// Reads an object's fields by their rules and notes what is wrong in `problems`, going on to the next field;
// unknown fields are ignored. The object and the problems outlive the reader.
class ObjectReader {
public:
    ObjectReader(const boost::json::object& object, Problems& problems,
                 Problems::Location location = {"body"});

    Field<std::string> text(std::string_view name, Need need, TextRule rule) const;
    Field<std::int64_t> integer(std::string_view name, Need need, std::int64_t lowest,
                                std::int64_t highest) const;
    Field<bool> boolean(std::string_view name, Need need) const;
    Field<SystemTime> time(std::string_view name, Need need) const;                                // RFC 3339
    Field<std::vector<std::string>> texts(std::string_view name, Need need, ListRule rule) const;  // unique
    Field<std::vector<std::int32_t>> integers(std::string_view name, Need need, std::size_t fewest,
                                              std::size_t most, std::int32_t lowest,
                                              std::int32_t highest) const;
    Field<StringMap> map(std::string_view name, Need need, MapRule rule) const;
    Field<NullableStringMap> nullable_map(std::string_view name, Need need, MapRule rule) const;
    // An object taken as it is, free of NUL characters.
    Field<boost::json::object> object(std::string_view name, Need need) const;

    Problems::Location location(std::string_view name) const;  // of a field, to note a further problem
    Problems& problems() const { return problems_; }

private:
    template <class T>
    const boost::json::value* find(std::string_view name, Need need, Field<T>& field) const;

    const boost::json::object& object_;
    Problems& problems_;
    Problems::Location location_;
};

// Notes a problem with one text; used for bodies, queries and paths alike.
bool check_text(std::string_view text, const TextRule& rule, const Problems::Location& location,
                Problems& problems);

}  // namespace posthorn::admin
