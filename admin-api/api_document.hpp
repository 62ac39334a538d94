#pragma once
#include <string_view>

// Made of admin-api/openapi/ when the service is built.
namespace posthorn::admin {

std::string_view api_document();     // OpenAPI 3.1, as JSON
std::string_view reference_page();   // the same as HTML
std::string_view reference_style();  // the page's CSS

}  // namespace posthorn::admin
