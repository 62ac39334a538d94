// The OpenAPI document and the service have the same operations. That each answer is as the document says is
// checked with every call of the fixtures: support/api_contract.hpp.
#include "support/api_contract.hpp"
#include "support/catch.hpp"
#include "support/ingest_fixture.hpp"

using namespace posthorn;
using namespace posthorn::test;

TEST_CASE("every route is in the OpenAPI document, and every operation of the document is a route") {
    IngestFixture api;
    std::set<std::string> routes;
    for (const auto& route : api.router().routes())
        routes.insert(std::string(http::to_string(route.method)) + " " + route.pattern);
    CHECK(routes == documented_operations());
}

TEST_CASE("the contract finds an answer that the document does not allow") {
    CHECK_NOTHROW(check_contract("GET", "/api/v1/health", 204, ""));
    CHECK_THROWS(check_contract("GET", "/api/v1/health", 204, "{}"));
    CHECK_THROWS(check_contract("GET", "/api/v1/health", 418, ""));
    CHECK_THROWS(check_contract("GET", "/api/v1/health/", 409, R"({"code":"x","detail":"y"})"));
    CHECK_NOTHROW(check_contract("GET", "/api/v1/app/a?limit=1", 404, R"({"code":"x","detail":"y"})"));
    CHECK_THROWS(check_contract("GET", "/api/v1/app/a", 404, R"({"code":"x"})"));
    CHECK_THROWS(check_contract("GET", "/api/v1/app/a", 404, R"({"code":"x","detail":"y","more":1})"));
    CHECK_THROWS(check_contract("GET", "/api/v1/app/a", 200, R"({"id":"app_1"})"));
    CHECK_THROWS(check_contract("GET", "/api/v1/nothing", 200, "{}"));
    CHECK_NOTHROW(check_contract("GET", "/api/v1/nothing", 404, R"({"code":"x","detail":"y"})"));
}
