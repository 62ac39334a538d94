#include "admin-api/problems.hpp"

namespace posthorn::admin {

http::Problem not_found() { return {404, "not_found", "Entity not found"}; }
http::Problem conflict(std::string detail) { return {409, "conflict", std::move(detail)}; }
http::Problem forbidden(std::string detail) { return {403, "insufficient_access", std::move(detail)}; }

http::Problem unauthenticated(std::string detail) {
    http::Problem problem{401, "authentication_failed", std::move(detail)};
    problem.fields.add("WWW-Authenticate", "Bearer");
    return problem;
}

void Problems::throw_if_any() const {
    if (!list_.empty()) throw http::ValidationProblem{list_};
}

}  // namespace posthorn::admin
