#pragma once
#include <string>
#include <utility>
#include <vector>

#include "http/message.hpp"

namespace posthorn::admin {

// The answers that several routes give.
http::Problem not_found();                          // 404
http::Problem conflict(std::string detail);         // 409
http::Problem forbidden(std::string detail);        // 403
http::Problem unauthenticated(std::string detail);  // 401

// Everything that is wrong with one request, answered together.
class Problems {
public:
    using Location = std::vector<std::string>;
    void add(Location loc, std::string msg, std::string type = "value_error") {
        list_.push_back({std::move(loc), std::move(msg), std::move(type)});
    }
    bool empty() const { return list_.empty(); }
    void throw_if_any() const;  // http::ValidationProblem

private:
    std::vector<FieldProblem> list_;
};

}  // namespace posthorn::admin
