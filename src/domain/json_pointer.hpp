#pragma once
#include <boost/json/value.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Places in a JSON document: RFC 6901.
namespace posthorn::domain {

// One step as a pointer writes it: "/a~1b" for the member "a/b".
std::string pointer_step(std::string_view name);
std::string to_pointer(std::span<const std::string> steps);

// What a reference of the form "#" or "#/a/b" (a percent-encoded pointer as a URI's fragment) leads to; the
// value is nullptr if there is none or the reference has another form.
struct Referenced {
    const boost::json::value* value = nullptr;
    std::vector<std::string> steps;  // from the root
};
Referenced find_referenced(const boost::json::value& root, std::string_view reference);

}  // namespace posthorn::domain
