#include <fmt/format.h>

#include "support/catch.hpp"
#include "support/ingest_fixture.hpp"

using namespace posthorn;
using namespace posthorn::test;
using http::Method;

namespace {

// What would end a line, or a text, before its time, as JSON writes it.
const std::vector<std::string> line_ends{R"(a\r\nX-Injected: 1)", R"(a\nb)", R"(a\rb)", R"(a\u0000b)"};

struct Place {
    Method method;
    std::string path, before, after, loc;  // loc: how the problem's place begins
};

void check_refused(ApiFixture& api, const Place& place, std::string_view text) {
    const auto body = quoted(place.before) + std::string(text) + quoted(place.after);
    const auto answer = api.call(place.method, place.path, body);
    INFO(place.path << " " << body << ": " << answer.status << " " << answer.body);
    REQUIRE(answer.status == 422);
    const auto problem = boost::json::parse(answer.body).at("detail").at(0);
    CHECK(boost::json::serialize(problem.at("loc")).starts_with(quoted(place.loc)));
    CHECK_FALSE(problem.at("msg").as_string().empty());
}

}  // namespace

TEST_CASE("line ends and NULs are refused by name wherever a text could reach the wire or a header") {
    IngestFixture api;
    const auto endpoint = api.make_endpoint(api.application);
    const std::string app = "/api/v1/app/customer-1";
    const auto one = app + "/endpoint/" + endpoint;
    const auto url = [](const std::string& more) { return "{'url':'http://127.0.0.1/'," + more; };
    const auto message = [](const std::string& more) { return "{'eventType':'a','payload':{}," + more; };
    const std::vector<Place> places{
        {Method::post, "/api/v1/app", "{'name':'x','uid':'", "'}", "['body','uid'"},
        {Method::post, "/api/v1/event-type", "{'description':'x','name':'", "'}", "['body','name'"},
        {Method::post, app + "/endpoint", "{'url':'http://127.0.0.1/", "'}", "['body','url'"},
        {Method::post, app + "/endpoint", url("'uid':'"), "'}", "['body','uid'"},
        {Method::post, app + "/endpoint", url("'channels':['"), "']}", "['body','channels'"},
        {Method::post, app + "/endpoint", url("'eventTypes':['"), "']}", "['body','eventTypes'"},
        {Method::post, app + "/endpoint", url("'secret':'whsec_"), "'}", "['body','secret'"},
        {Method::post, app + "/endpoint", url("'headers':{'X-A':'"), "'}}", "['body','headers','X-A'"},
        {Method::post, app + "/endpoint", url("'headers':{'"), "':'b'}}", "['body','headers'"},
        {Method::put, one + "/headers", "{'headers':{'X-A':'", "'}}", "['body','headers','X-A'"},
        {Method::patch, one + "/headers", "{'headers':{'", "':'b'}}", "['body','headers'"},
        {Method::patch, one, "{'url':'http://127.0.0.1/", "'}", "['body','url'"},
        {Method::post, app + "/msg", "{'payload':{},'eventType':'", "'}", "['body','eventType'"},
        {Method::post, app + "/msg", message("'eventId':'"), "'}", "['body','eventId'"},
        {Method::post, app + "/msg", message("'channels':['"), "']}", "['body','channels'"},
        {Method::post, app + "/msg", message("'tags':['"), "']}", "['body','tags'"},
        {Method::post, app + "/msg", message("'headers':{'X-A':'"), "'}}", "['body','headers','X-A'"},
        {Method::post, app + "/msg", message("'headers':{'"), "':'b'}}", "['body','headers'"},
        {Method::post, app + "/msg", message("'transformationsParams':{'headers':{'X-A':'"), "'}}}",
         "['body','transformationsParams','headers','X-A'"},
    };
    for (const auto& place : places)
        for (const auto& text : line_ends) check_refused(api, place, text);
    CHECK(api.sql("SELECT count(*) FROM message") == "0");
    CHECK(api.sql("SELECT count(*) FROM endpoint") == "1");
}

// They are shown, never sent: any character that the database can hold is as good as another.
TEST_CASE("texts for people take line ends, but no NUL, which can't be stored") {
    ApiFixture api;
    const std::vector<Place> places{
        {Method::post, "/api/v1/app", "{'name':'", "'}", "['body','name'"},
        {Method::post, "/api/v1/app", "{'name':'x','metadata':{'a':'", "'}}", "['body','metadata'"},
        {Method::post, "/api/v1/app", "{'name':'x','metadata':{'", "':'a'}}", "['body','metadata'"},
        {Method::post, "/api/v1/event-type", "{'name':'x','description':'", "'}", "['body','description'"},
        {Method::post, "/api/v1/api-key", "{'scopes':['*'],'name':'", "'}", "['body','name'"},
    };
    for (const auto& place : places) {
        check_refused(api, place, R"(a\u0000b)");
        INFO(place.path << " " << place.before);
        CHECK(api.call(place.method, place.path, quoted(place.before) + R"(a\r\nb)" + quoted(place.after))
                  .status == 201);
    }
}
