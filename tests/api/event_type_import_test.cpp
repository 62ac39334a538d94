#include <boost/json.hpp>

#include "support/api_fixture.hpp"
#include "support/catch.hpp"

using namespace posthorn;
using namespace posthorn::test;
using http::Method;
namespace json = boost::json;

namespace {

const std::string types = "/api/v1/event-type";
const std::string path = types + "/import/openapi";

// A webhook whose body is as this schema says.
std::string webhook(const std::string& name, const std::string& schema = "{'type':'object'}",
                    const std::string& description = "") {
    return "'" + name + "':{'post':{'description':'" + description +
           "','requestBody':{'content':{'application/json':{'schema':" + schema + "}}}}}";
}
std::string spec(const std::string& webhooks, const std::string& components = "{}") {
    return "{'openapi':'3.1.0','info':{'title':'t','version':'1'},'webhooks':{" + webhooks +
           "},'components':{'schemas':" + components + "}}";
}
std::string body(const std::string& document, const std::string& more = "") {
    return quoted("{'spec':" + document + more + "}");
}
std::string raw(const std::string& text) { return json::serialize(json::object{{"specRaw", text}}); }

}  // namespace

TEST_CASE("an import makes event types, changes those that are there, and brings archived ones back") {
    ApiFixture api;
    api.expect(201, Method::post, types,
               quoted("{'name':'b','description':'old','archived':true,'featureFlag':'f'}"));
    api.expect(201, Method::post, types, quoted("{'name':'z','description':'other'}"));
    const auto done =
        api.expect(200, Method::post, path,
                   body(spec(webhook("b", "{'$ref':'#/components/schemas/B'}", "new") + "," + webhook("a"),
                             "{'B':{'properties':{'b':{'$ref':'#/components/schemas/B'}}}}")));
    CHECK(json::serialize(done) == quoted("{'data':{'modified':['a','b'],'to_modify':null,'archived':[]}}"));
    const auto b = api.expect(200, Method::get, types + "/b");
    CHECK(text_at(b, "description") == "new");
    CHECK(text_at(b, "archived") == "false");
    CHECK(text_at(b, "featureFlag") == "null");
    CHECK(b.at("schemas") ==
          json::parse(quoted("{'1':{'properties':{'b':{'$ref':'#/definitions/B'}},"
                             "'definitions':{'B':{'properties':{'b':{'$ref':'#/definitions/B'}}}}}}")));
    CHECK(text_at(api.expect(200, Method::get, types + "/z"), "description") == "other");
    CHECK(
        api.sql(
            "SELECT count(*) FROM audit_log WHERE action = 'event_type.create' AND details->>'name' = 'a'") ==
        "1");
    CHECK(
        api.sql(
            "SELECT count(*) FROM audit_log WHERE action = 'event_type.update' AND details->>'name' = 'b'") ==
        "1");
}

TEST_CASE("a dry run tells what would be done and does nothing") {
    ApiFixture api;
    api.expect(201, Method::post, types, quoted("{'name':'z','description':''}"));
    const auto told = api.expect(200, Method::post, path,
                                 body(spec(webhook("a", "{}", "d")), ",'dryRun':true,'replaceAll':true"));
    CHECK(json::serialize(told) ==
          quoted("{'data':{'modified':[],'to_modify':[{'name':'a','description':'d','deprecated':false,'"
                 "featureFlag':null,"
                 "'featureFlags':null,'groupName':null,'schemas':{'1':{}}}],'archived':['z']}}"));
    CHECK(api.sql("SELECT string_agg(name || archived, ',') FROM event_type") == "zfalse");
}

TEST_CASE("with replaceAll what the document lacks is archived") {
    ApiFixture api;
    for (const auto* name : {"a", "y", "z"})
        api.expect(201, Method::post, types, quoted("{'name':'" + std::string(name) + "','description':''}"));
    api.expect(204, Method::del, types + "/y");
    const auto stranger = api.token_of(api.other_organization());
    api.expect(201, Method::post, types, quoted("{'name':'theirs','description':''}"), stranger);
    const auto done = api.expect(200, Method::post, path, body(spec(webhook("a")), ",'replaceAll':true"));
    CHECK(json::serialize(done.at("data").at("archived")) == quoted("['z']"));
    CHECK(api.sql("SELECT string_agg(name, ',' ORDER BY name) FROM event_type WHERE NOT archived") ==
          "a,theirs");
    CHECK(api.sql("SELECT count(*) FROM audit_log WHERE details->>'archived' = 'true'") == "1");
}

TEST_CASE("a document comes as text too, JSON or YAML") {
    ApiFixture api;
    api.expect(200, Method::post, path, raw(quoted(spec(webhook("from.json")))));
    api.expect(200, Method::post, path,
               raw("openapi: 3.0.3\nx-webhooks:\n  from.yaml:\n    post:\n      summary: yaml\n"
                   "      requestBody:\n        content:\n          application/json:\n"
                   "            schema: {type: string, nullable: true}\n"));
    CHECK(json::serialize(api.expect(200, Method::get, types + "/from.yaml").at("schemas")) ==
          quoted("{'1':{'type':['string','null']}}"));
    api.expect(200, Method::get, types + "/from.json");
    for (const std::string bad : {"a: [", "{", "just text"})
        CHECK(api.call(Method::post, path, raw(bad)).status == 422);
}

TEST_CASE("what is wrong with a document is told with its place, and nothing is stored") {
    ApiFixture api;
    api.expect(400, Method::post, path, "{}");
    api.expect(400, Method::post, path, quoted("{'spec':{},'specRaw':''}"));
    api.expect(422, Method::post, path, body("{}"));
    const auto refused = api.expect(
        422, Method::post, path,
        body(spec(webhook("good") + "," + webhook("not good") + "," + webhook("bad", "{'type':5}") + "," +
                  webhook("long", "{}", std::string(5000, 'x')))));
    const auto& detail = refused.at("detail").as_array();
    REQUIRE(detail.size() == 3);
    CHECK(text_at(detail[0], "loc") == quoted("['body','spec','bad','1']"));
    CHECK(text_at(detail[2], "loc") == quoted("['body','spec','not good']"));
    CHECK(api.sql("SELECT count(*) FROM event_type") == "0");
    api.expect(403, Method::post, path, body(spec(webhook("a"))),
               api.token_of(api.organization(), ApplicationId::parse(api.make_application())));
}

TEST_CASE("an event type that enforces its schema goes on doing so, if it can") {
    ApiFixture api;
    api.expect(201, Method::post, types,
               quoted("{'name':'b','description':'','enforceSchema':true,'schemas':{'1':{},'2':{}}}"));
    const auto bad = spec(webhook("a") + "," + webhook("b", "{'prefixItems':[]}"));
    for (const std::string dry : {"true", "false"}) {
        const auto refused = api.expect(422, Method::post, path, body(bad, ",'dryRun':" + dry));
        CHECK(text_at(refused.at("detail").at(0), "loc") == quoted("['body','spec','b','1']"));
    }
    CHECK(api.sql("SELECT count(*) FROM event_type") == "1");
    api.expect(200, Method::post, path, body(spec(webhook("b", "{'type':'object'}"))));
    CHECK(text_at(api.expect(200, Method::get, types + "/b"), "enforceSchema") == "true");
}
