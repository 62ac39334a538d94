#include "domain/json_number.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <limits>

namespace posthorn::domain {

namespace json = boost::json;

std::optional<Number> number_of(const json::value& value) {
    switch (value.kind()) {
        case json::kind::int64:
            return Number{static_cast<long double>(value.get_int64()), true};
        case json::kind::uint64:
            return Number{static_cast<long double>(value.get_uint64()), true};
        case json::kind::double_:
            return Number{static_cast<long double>(value.get_double()), false};
        default:
            return std::nullopt;
    }
}

std::weak_ordering compare(const Number& number, const Number& wanted) {
    const bool exact = number.is_integer && wanted.is_integer;
    const auto tolerance = exact ? 0 : 6e-16L * std::min(std::abs(number.value), std::abs(wanted.value));
    if (number.value < wanted.value - tolerance) return std::weak_ordering::less;
    if (number.value > wanted.value + tolerance) return std::weak_ordering::greater;
    return std::weak_ordering::equivalent;
}

bool is_multiple(const Number& number, const Number& factor) {
    if (!std::isfinite(number.value)) return false;
    if (std::fmod(number.value, factor.value) == 0) return true;
    if (number.is_integer && factor.is_integer) return false;
    const auto quotient = std::nearbyint(number.value / factor.value);
    if (std::abs(quotient) > std::numeric_limits<double>::max()) return false;
    return compare(number, Number{quotient * factor.value, false}) == 0;
}

}  // namespace posthorn::domain
