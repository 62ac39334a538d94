#include "support/api_fixture.hpp"
#include "support/catch.hpp"

using namespace posthorn;
using namespace posthorn::test;
using http::Method;

namespace {
struct EndpointApi : ApiFixture {
    std::string application = make_application("acme");
    std::string all = "/api/v1/app/acme/endpoint";
    std::string one(const std::string& key) const { return all + "/" + key; }
};
}  // namespace

TEST_CASE("an endpoint is created, read, changed and deleted") {
    EndpointApi api;
    const auto made = api.expect(
        201, Method::post, api.all,
        quoted("{'url':'http://127.0.0.1:8080/a?b=c','uid':'main','description':'d','eventTypes':['a.b','c'],"
               "'channels':['x'],'throttleRate':9,'metadata':{'k':'v'},'ordered':true,'http2':true}"));
    const auto id = text_at(made, "id");
    CHECK(EndpointId::parse(id));
    CHECK(text_at(made, "url") == "http://127.0.0.1:8080/a?b=c");
    CHECK(text_at(made, "eventTypes") == quoted("['a.b','c']"));
    CHECK(text_at(made, "channels") == quoted("['x']"));
    CHECK(text_at(made, "throttleRate") == "9");
    CHECK(text_at(made, "rateLimit") == "9");
    CHECK(text_at(made, "metadata") == quoted("{'k':'v'}"));
    CHECK(text_at(made, "disabled") == "false");
    CHECK(text_at(made, "ordered") == "true");
    CHECK(text_at(made, "http2") == "true");
    CHECK(api.expect(200, Method::get, api.one(id)) == made);
    CHECK(api.expect(200, Method::get, api.one("main")) == made);
    CHECK(api.expect(200, Method::get, "/api/v1/app/" + api.application + "/endpoint/main") == made);

    const auto put =
        api.expect(200, Method::put, api.one("main"), quoted("{'url':'http://127.0.0.1:8080/z'}"));
    CHECK(text_at(put, "id") == id);
    CHECK(text_at(put, "uid") == "main");
    CHECK(text_at(put, "description").empty());
    CHECK(text_at(put, "eventTypes") == "null");
    CHECK(text_at(put, "channels") == "null");
    CHECK(text_at(put, "throttleRate") == "null");
    CHECK(text_at(put, "ordered") == "true");  // unknown to the compatible API, so kept
    CHECK(text_at(api.expect(200, Method::put, api.one(id), quoted("{'url':'http://127.0.0.1/'}")), "uid") ==
          "null");

    api.expect(204, Method::del, api.one(id));
    api.expect(404, Method::get, api.one(id));
    api.expect(404, Method::del, api.one(id));
    CHECK(api.sql("SELECT count(*) FROM audit_log WHERE subject = '" + id + "'") == "4");
}

TEST_CASE("PATCH of an endpoint changes what is mentioned, null clears it") {
    EndpointApi api;
    api.expect(
        201, Method::post, api.all,
        quoted(
            "{'url':'http://127.0.0.1/','uid':'main','description':'d','eventTypes':['a'],'channels':['x'],"
            "'rateLimit':9,'metadata':{'k':'v'}}"));
    auto patched = api.expect(200, Method::patch, api.one("main"), quoted("{'description':'e'}"));
    CHECK(text_at(patched, "description") == "e");
    CHECK(text_at(patched, "eventTypes") == quoted("['a']"));
    CHECK(text_at(patched, "channels") == quoted("['x']"));
    CHECK(text_at(patched, "throttleRate") == "9");
    CHECK(text_at(patched, "metadata") == quoted("{'k':'v'}"));
    patched = api.expect(200, Method::patch, api.one("main"),
                         quoted("{'eventTypes':null,'channels':null,'throttleRate':null,'uid':null}"));
    for (const std::string field : {"eventTypes", "channels", "throttleRate", "uid"})
        CHECK(text_at(patched, field) == "null");
    const auto path = api.one(text_at(patched, "id"));
    for (const std::string bad : {"{'url':null}", "{'description':null}", "{'disabled':null}",
                                  "{'metadata':null}", "{'eventTypes':[]}", "{'ordered':'yes'}"}) {
        INFO(bad);
        CHECK(api.call(Method::patch, path, quoted(bad)).status == 422);
    }
}

TEST_CASE("PUT creates an endpoint under the path's uid, once") {
    EndpointApi api;
    const auto body = quoted("{'url':'http://127.0.0.1/'}");
    const auto made = api.expect(201, Method::put, api.one("main"), body);
    CHECK(text_at(made, "uid") == "main");
    CHECK(text_at(api.expect(200, Method::put, api.one("main"), body), "id") == text_at(made, "id"));
    CHECK(api.sql("SELECT count(*) FROM endpoint") == "1");
    api.expect(404, Method::put, api.one(EndpointId::make(api.clock.system_now()).str()), body);
    api.expect(422, Method::put, api.one("new"), quoted("{'url':'http://127.0.0.1/','uid':'other'}"));
    api.expect(409, Method::post, api.all, quoted("{'url':'http://127.0.0.1/','uid':'main'}"));
}

TEST_CASE("an endpoint is found only through its own application and organization") {
    EndpointApi api;
    const auto id = api.make_endpoint("acme");
    const auto other = api.make_application("other");
    const auto stranger = api.token_of(api.other_organization());
    const std::vector<std::pair<Method, std::string>> routes{
        {Method::get, ""},           {Method::put, ""},         {Method::patch, ""},
        {Method::del, ""},           {Method::get, "/headers"}, {Method::put, "/headers"},
        {Method::patch, "/headers"}, {Method::get, "/secret"},  {Method::post, "/secret/rotate"}};
    const auto body = quoted("{'url':'http://127.0.0.1/','headers':{}}");
    for (const auto& [method, suffix] : routes) {
        INFO(to_string(method) << " " << suffix);
        CHECK(api.call(method, "/api/v1/app/" + other + "/endpoint/" + id + suffix, body).status == 404);
        CHECK(api.call(method, api.one(id) + suffix, body, stranger).status == 404);
        CHECK(
            api.call(method, api.one(EndpointId::make(api.clock.system_now()).str()) + suffix, body).status ==
            404);
    }
    for (const auto method : {Method::get, Method::post})
        CHECK(api.call(method, api.all, body, stranger).status == 404);
    api.expect(404, Method::get, api.one("missing"));
    api.expect(404, Method::get, api.one("not%20valid"));
}

TEST_CASE("everything that is wrong with an endpoint is answered at once") {
    EndpointApi api;
    const auto answer = api.expect(
        422, Method::post, api.all,
        quoted("{'url':'ftp://x','uid':'a b','description':5,'eventTypes':['a','a','b c',7],'channels':[],"
               "'disabled':'no','throttleRate':0,'metadata':[],'secret':'short','headers':{'Host':'x'}}"));
    std::set<std::string> locations;
    for (const auto& problem : answer.at("detail").as_array())
        locations.insert(boost::json::serialize(problem.at("loc")));
    std::set<std::string> expected;
    for (const std::string loc :
         {"['body','url']", "['body','uid']", "['body','description']", "['body','eventTypes','1']",
          "['body','eventTypes','2']", "['body','eventTypes','3']", "['body','channels']",
          "['body','disabled']", "['body','throttleRate']", "['body','metadata']", "['body','secret']",
          "['body','headers','Host']"})
        expected.insert(quoted(loc));
    CHECK(locations == expected);
    CHECK(api.sql("SELECT count(*) FROM endpoint") == "0");
    std::string many = quoted("{'url':'http://127.0.0.1/','eventTypes':['a0'");
    for (int i = 1; i <= 512; ++i) many += ",\"a" + std::to_string(i) + "\"";
    api.expect(422, Method::post, api.all, many + "]}");
    api.expect(422, Method::post, api.all,
               quoted("{'url':'http://127.0.0.1/','throttleRate':5,'rateLimit':6}"));
}

TEST_CASE("addresses that are not public are refused at create, update and patch") {
    EndpointApi api;
    const auto id = api.make_endpoint("acme");
    for (const std::string bad :
         {"http://10.0.0.1/", "http://169.254.169.254/", "http://[::1]/", "http://0xa000001/",
          "http://012.0.0.1/", "http://10.1/", "http://[::ffff:10.0.0.1]/", "http://user:x@127.0.0.1/",
          "file:///etc/passwd", "http://", "127.0.0.1"}) {
        INFO(bad);
        const auto body = quoted("{'url':'") + bad + quoted("'}");
        for (const auto method : {Method::post, Method::put, Method::patch}) {
            const auto answer = api.expect(422, method, method == Method::post ? api.all : api.one(id), body);
            CHECK(boost::json::serialize(answer.at("detail").at(0).at("loc")) == quoted("['body','url']"));
        }
    }
    CHECK(text_at(api.expect(200, Method::get, api.one(id)), "url") == "http://127.0.0.1:9/hook");
}

TEST_CASE("disabling notes a reason, enabling clears it and the row of failures") {
    EndpointApi api;
    const auto id = api.make_endpoint("acme");
    const auto disabled = api.expect(200, Method::patch, api.one(id), quoted("{'disabled':true}"));
    CHECK(text_at(disabled, "disabledReason") == "manual");
    api.sql("UPDATE endpoint SET disabled_reason = 'failing', failing_since = now()");
    CHECK(text_at(api.expect(200, Method::patch, api.one(id), quoted("{'disabled':true}")),
                  "disabledReason") == "failing");
    CHECK(api.sql("SELECT failing_since IS NOT NULL FROM endpoint") == "t");
    const auto enabled = api.expect(200, Method::patch, api.one(id), quoted("{'disabled':false}"));
    CHECK(text_at(enabled, "disabledReason") == "null");
    CHECK(api.sql("SELECT failing_since IS NULL FROM endpoint") == "t");
    const auto made =
        api.expect(201, Method::post, api.all, quoted("{'url':'http://127.0.0.1/','disabled':true}"));
    CHECK(text_at(made, "disabledReason") == "manual");
}

TEST_CASE("every change of an endpoint raises its version") {
    EndpointApi api;
    const auto id = api.make_endpoint("acme");
    int before = std::stoi(api.sql("SELECT version FROM endpoint"));
    const std::vector<std::tuple<Method, std::string, std::string>> changes{
        {Method::patch, "", "{'description':'x'}"},
        {Method::put, "", "{'url':'http://127.0.0.1/x'}"},
        {Method::put, "/headers", "{'headers':{'x-a':'b'}}"},
        {Method::patch, "/headers", "{'headers':{'x-a':null}}"},
        {Method::post, "/secret/rotate", "{}"},
        {Method::del, "", ""}};
    for (const auto& [method, suffix, body] : changes) {
        INFO(to_string(method) << suffix);
        CHECK(api.call(method, api.one(id) + suffix, quoted(body)).status < 300);
        const int after = std::stoi(api.sql("SELECT version FROM endpoint"));
        CHECK(after > before);
        CHECK(api.sql("SELECT version FROM endpoint_change") == std::to_string(after));
        before = after;
    }
}

TEST_CASE("a change of the order reaches the deliveries that wait") {
    EndpointApi api;
    const auto id = api.make_endpoint("acme"), other = api.make_endpoint("acme");
    api.sql(
        "INSERT INTO delivery (app_id, endpoint_id, message_id, shard, due_at) "
        "SELECT app_id, id, gen_random_uuid(), shard, now() FROM endpoint");
    api.expect(200, Method::patch, api.one(id), quoted("{'ordered':true}"));
    CHECK(api.sql("SELECT count(*) FROM delivery WHERE ordered") == "1");
    api.expect(200, Method::patch, api.one(id), quoted("{'ordered':false}"));
    CHECK(api.sql("SELECT count(*) FROM delivery WHERE ordered") == "0");
}
