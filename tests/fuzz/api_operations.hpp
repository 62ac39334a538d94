#pragma once
#include <boost/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace posthorn::test {

struct ApiParameter {
    enum class Place { path, query, header };

    std::string name;
    Place place = Place::path;
    bool required = false;
    const boost::json::object* schema = nullptr;
};

struct ApiOperation {
    std::string method;   // "GET"
    std::string pattern;  // "/api/v1/app/{app_id}"
    std::vector<ApiParameter> parameters;
    const boost::json::object* body = nullptr;  // its schema; nullptr: it takes none
    bool is_public = false;                     // it takes no token

    std::string title() const { return method + " " + pattern; }
};

// The operations of the service's own OpenAPI document, with references resolved but for those within
// schemas. Stays where it is: operations point into it.
class ApiDescription {
public:
    ApiDescription();
    ApiDescription(const ApiDescription&) = delete;
    ApiDescription& operator=(const ApiDescription&) = delete;

    const std::vector<ApiOperation>& operations() const { return operations_; }
    // The schema itself, or what it refers to.
    const boost::json::object& resolved(const boost::json::object& schema) const;

private:
    ApiOperation read(std::string_view pattern, std::string_view verb,
                      const boost::json::object& operation) const;

    const boost::json::value document_;
    std::vector<ApiOperation> operations_;
};

}  // namespace posthorn::test
