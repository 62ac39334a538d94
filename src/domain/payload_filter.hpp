#pragma once
#include <boost/json/object.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace posthorn::domain {

struct FilterError {
    std::vector<std::string> pointer;  // from the filter down to what is wrong
    std::string rule;
};

// Which payloads an endpoint wants: a pattern in the language of Amazon EventBridge's event patterns, matched
// against the payload. docs/payload-filters.md tells the language. Immutable; copies share.
//
// Time and memory: a filter has at most 200 values and 12 levels, a text 256 bytes. Matching reads the
// payload once and then walks the filter's fields through it, arrays element by element; it takes at most the
// number of the payload's values times that of the filter's, and a wildcard at most the product of the
// lengths of pattern and text.
class PayloadFilter {
public:
    static std::variant<PayloadFilter, FilterError> parse(const boost::json::object& filter);

    // payload: a JSON object as text. One that can't be held in memory as JSON (a lone surrogate in a text, a
    // number beyond what a double can hold) does not match.
    bool matches(std::string_view payload) const;

private:
    struct Pattern;
    struct Parser;
    explicit PayloadFilter(std::shared_ptr<const Pattern> pattern) : pattern_(std::move(pattern)) {}

    std::shared_ptr<const Pattern> pattern_;
};

}  // namespace posthorn::domain
