#pragma once
#include <set>
#include <string>
#include <string_view>

namespace posthorn::test {

// Holds an answer of the API to the OpenAPI document: the status is one that the document gives this
// operation, and the body is valid by its schema. An answer of a path or a method that the document does not
// have must be 404 or 405; HEAD is held to what GET has; 500 is a fault that a test provoked. `path` may have
// a query. Throws std::runtime_error that says what differs.
void check_contract(std::string_view method, std::string_view path, int status, std::string_view body);

// A webhook's payload, by its `type`, against the document's webhooks. Throws likewise.
void check_operational_webhook(std::string_view payload);

// "GET /api/v1/app/{app_id}" for each operation of the document.
std::set<std::string> documented_operations();

}  // namespace posthorn::test
