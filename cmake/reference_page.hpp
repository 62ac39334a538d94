#pragma once
#include <boost/json.hpp>
#include <string>

namespace posthorn {

// An OpenAPI document as one HTML page, without scripts; styled by "docs/style.css". Throws
// boost::system::system_error or std::runtime_error where the document lacks what it must have.
std::string reference_page(const boost::json::object& document);

}  // namespace posthorn
