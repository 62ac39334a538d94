#include <algorithm>

#include "support/api_fixture.hpp"
#include "support/catch.hpp"

using namespace posthorn;
using namespace posthorn::test;
using http::Method;

namespace {
std::vector<int> statuses(const std::vector<http::Response>& responses) {
    std::vector<int> list;
    for (const auto& response : responses) list.push_back(response.status);
    std::sort(list.begin(), list.end());
    return list;
}

// Every shard belongs to one process that acknowledges nothing by itself.
void give_shards_to_a_process(ApiFixture& api) {
    const auto process = "'00000000-0000-7000-8000-000000000001'";
    api.sql(std::string("INSERT INTO process (id, worker, host) VALUES (") + process + ", true, 'test')");
    api.sql(std::string("UPDATE shard_lease SET process_id = ") + process + ", epoch = 3");
}

std::string unacknowledged(const ApiFixture& api) {
    return api.sql("SELECT count(*) FROM endpoint_change WHERE acked_version IS DISTINCT FROM version");
}
void acknowledge(const ApiFixture& api) {
    api.sql("UPDATE endpoint_change SET acked_version = version, acked_epoch = 3");
}
}  // namespace

TEST_CASE("the same PUT at the same time creates one application, endpoint or event type") {
    ApiFixture api;
    api.make_application("acme");
    const std::vector<std::pair<std::string, std::string>> targets{
        {"/api/v1/app/new", "{'name':'x'}"},
        {"/api/v1/app/acme/endpoint/new", "{'url':'http://127.0.0.1/'}"},
        {"/api/v1/event-type/new", "{'description':'x'}"}};
    for (const auto& [target, body] : targets) {
        INFO(target);
        std::vector<http::Request> requests(4, api.request(Method::put, target, quoted(body)));
        CHECK(statuses(api.call_together(std::move(requests))) == std::vector<int>{200, 200, 200, 201});
    }
    std::vector<http::Request> requests(
        4, api.request(Method::post, "/api/v1/app?get_if_exists=true", quoted("{'name':'x','uid':'newer'}")));
    CHECK(statuses(api.call_together(std::move(requests))) == std::vector<int>{200, 200, 200, 201});
}

TEST_CASE("no endpoint outlives its application, whichever of deleting and creating comes first") {
    ApiFixture api;
    for (int round = 0; round < 10; ++round) {
        const auto application = "/api/v1/app/" + api.make_application();
        std::vector<http::Request> requests(
            3, api.request(Method::post, application + "/endpoint", quoted("{'url':'http://127.0.0.1/'}")));
        requests.insert(requests.begin() + round % 4, api.request(Method::del, application));
        for (const auto& response : api.call_together(std::move(requests)))
            CHECK((response.status == 201 || response.status == 204 || response.status == 404));
    }
    CHECK(api.sql("SELECT count(*) FROM endpoint e JOIN application a ON a.id = e.app_id "
                  "WHERE a.deleted_at IS NOT NULL AND e.deleted_at IS NULL") == "0");
}

TEST_CASE(
    "changes of an endpoint are answered when the shard's owner has acknowledged them, and not before") {
    ApiFixture api;
    const auto application = "/api/v1/app/" + api.make_application();
    const auto endpoint = application + "/endpoint/" + api.make_endpoint(application.substr(12));
    give_shards_to_a_process(api);
    const std::vector<std::tuple<Method, std::string, std::string>> changes{
        {Method::patch, endpoint, "{'url':'http://127.0.0.1/elsewhere'}"},
        {Method::put, endpoint + "/headers", "{'headers':{'x-team':'blue'}}"},
        {Method::post, endpoint + "/secret/rotate", "{}"},
        {Method::patch, application + "/endpoint", "{'filter':{'all':true},'throttleRate':3}"},
        {Method::patch, endpoint, "{'disabled':true}"},
        {Method::put, endpoint, "{'url':'http://127.0.0.1/','disabled':true}"},
        {Method::del, endpoint, ""}};
    for (const auto& [method, target, body] : changes) {
        INFO(to_string(method));
        acknowledge(api);
        auto request = api.request(method, target, quoted(body));
        bool answered = false;
        boost::asio::co_spawn(api.io(), api.router().dispatch(request),
                              [&](std::exception_ptr, http::Response response) {
                                  CHECK(response.status < 300);
                                  answered = true;
                              });
        api.io().restart();
        while (unacknowledged(api) == "0") api.io().poll();
        for (int i = 0; i < 20; ++i) api.io().run_one_for(std::chrono::milliseconds(5));
        CHECK_FALSE(answered);
        acknowledge(api);
        while (!answered) api.io().run_one();
    }
}

TEST_CASE("a change that loses to another transaction in a deadlock is made all the same") {
    ApiFixture api;
    const auto application = api.make_application();
    const auto endpoint = "/api/v1/app/" + application + "/endpoint/" + api.make_endpoint(application);
    api.sql(
        "CREATE SEQUENCE tries;"
        "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF nextval('tries') <= 3 THEN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END IF; "
        "RETURN NEW; END $$;"
        "CREATE TRIGGER lose BEFORE UPDATE ON endpoint FOR EACH ROW EXECUTE FUNCTION lose()");
    const auto answers =
        api.call_together({api.request(Method::patch, endpoint, quoted("{'ordered':true}"))});
    CHECK(statuses(answers) == std::vector<int>{200});
    CHECK(api.sql("SELECT ordered FROM endpoint") == "t");
    CHECK(api.sql("SELECT count(*) FROM audit_log WHERE action = 'endpoint.update'") == "1");
}
