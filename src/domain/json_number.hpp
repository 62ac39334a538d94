#pragma once
#include <boost/json/value.hpp>
#include <compare>
#include <optional>

namespace posthorn::domain {

// A number of a JSON text. Boost.JSON reads what lies beyond a double's range as infinite.
struct Number {
    long double value;
    bool is_integer;  // read as one, so exact: a long double has at least 64 bits for them
};

std::optional<Number> number_of(const boost::json::value& value);

// Integers exactly, others to 15 significant digits: Boost reads a decimal number up to 4e-16 wrong, and what
// it is compared with may have been read, written and read again. wanted: finite.
std::weak_ordering compare(const Number& number, const Number& wanted);

// Whether the nearest multiple of `factor` (finite, above 0) is equal to it, as `compare` says.
bool is_multiple(const Number& number, const Number& factor);

}  // namespace posthorn::domain
