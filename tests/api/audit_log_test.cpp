#include "support/api_fixture.hpp"
#include "support/catch.hpp"

using namespace posthorn;
using http::Method;
using posthorn::test::ApiFixture;
using posthorn::test::quoted;

namespace {

std::vector<std::string> actions(ApiFixture& api, const std::string& query) {
    std::vector<std::string> list;
    const auto answer = api.expect(200, Method::get, "/api/v1/audit-log" + query);
    for (const auto& entry : answer.at("data").as_array())
        list.push_back(boost::json::value_to<std::string>(entry.at("action")));
    return list;
}

}  // namespace

TEST_CASE("the audit log tells who changed what, the latest first") {
    ApiFixture api;
    const auto application = api.make_application("customer-1");
    const auto endpoint = api.make_endpoint(application);
    api.expect(200, Method::patch, "/api/v1/app/customer-1/endpoint/" + endpoint,
               quoted("{'disabled':true}"));
    CHECK(actions(api, "") ==
          std::vector<std::string>{"endpoint.update", "endpoint.create", "application.create"});
    CHECK(actions(api, "?order=ascending&limit=1") == std::vector<std::string>{"application.create"});
    CHECK(actions(api, "?subject=" + endpoint) ==
          std::vector<std::string>{"endpoint.update", "endpoint.create"});
    CHECK(actions(api, "?action=application.create") == std::vector<std::string>{"application.create"});
    CHECK(actions(api, "?actor=nobody").empty());
    api.make_application("customer-2");
    CHECK(actions(api, "?application=" + application) ==
          std::vector<std::string>{"endpoint.update", "endpoint.create", "application.create"});
    CHECK(actions(api, "?before=2020-01-01T00:00:00Z").empty());
    CHECK(actions(api, "?after=2020-01-01T00:00:00Z").size() == 4);
    const auto entry =
        api.expect(200, Method::get, "/api/v1/audit-log?limit=1&subject=" + endpoint).at("data").at(0);
    CHECK(entry.at("actor") == "jwt");
    CHECK(entry.at("subject") == boost::json::value(endpoint));
    CHECK(entry.at("details").at("disabled") == true);
    CHECK(entry.at("timestamp").is_string());
    CHECK(entry.at("requestId") == "test");
}

TEST_CASE("the audit log is the organization's own, and nothing for a customer") {
    ApiFixture api;
    const auto application = api.make_application();
    const auto stranger = api.token_of(api.other_organization());
    CHECK(api.expect(200, Method::get, "/api/v1/audit-log", {}, stranger).at("data").as_array().empty());
    api.expect(403, Method::get, "/api/v1/audit-log", {},
               api.token_of(api.organization(), ApplicationId::parse(application)));
    api.expect(422, Method::get, "/api/v1/audit-log?after=yesterday");
    api.expect(422, Method::get, "/api/v1/audit-log?actor=" + std::string(300, 'x'));
}
