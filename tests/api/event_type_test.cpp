#include <set>

#include "support/api_fixture.hpp"
#include "support/catch.hpp"

using namespace posthorn;
using namespace posthorn::test;
using http::Method;

namespace {
const std::string all = "/api/v1/event-type";
}

TEST_CASE("an event type is created, read, changed, archived and brought back") {
    ApiFixture api;
    const auto made =
        api.expect(201, Method::post, all,
                   quoted("{'name':'user.signup','description':'d','deprecated':true,'featureFlag':'beta',"
                          "'schemas':{'1':{'type':'object'}}}"));
    CHECK(text_at(made, "name") == "user.signup");
    CHECK(text_at(made, "archived") == "false");
    CHECK(text_at(made, "deprecated") == "true");
    CHECK(text_at(made, "featureFlag") == "beta");
    CHECK(text_at(made, "schemas") == quoted("{'1':{'type':'object'}}"));
    CHECK(api.expect(200, Method::get, all + "/user.signup") == made);
    CHECK(text_at(api.expect(409, Method::post, all, quoted("{'name':'user.signup','description':''}")),
                  "code") == "conflict");

    const auto patched = api.expect(200, Method::patch, all + "/user.signup", quoted("{'featureFlag':null}"));
    CHECK(text_at(patched, "featureFlag") == "null");
    CHECK(text_at(patched, "schemas") == text_at(made, "schemas"));
    CHECK(text_at(patched, "description") == "d");

    api.expect(204, Method::del, all + "/user.signup");
    CHECK(text_at(api.expect(200, Method::get, all + "/user.signup"), "archived") == "true");
    CHECK(api.expect(200, Method::get, all).at("data").as_array().empty());
    CHECK(api.expect(200, Method::get, all + "?include_archived=true").at("data").as_array().size() == 1);
    const auto back =
        api.expect(201, Method::post, all, quoted("{'name':'user.signup','description':'new'}"));
    CHECK(text_at(back, "archived") == "false");
    CHECK(text_at(back, "schemas") == "null");
    CHECK(text_at(back, "createdAt") == text_at(made, "createdAt"));

    api.expect(204, Method::del, all + "/user.signup?expunge=true");
    api.expect(404, Method::get, all + "/user.signup");
    api.expect(404, Method::del, all + "/user.signup");
    api.expect(404, Method::del, all + "/user.signup?expunge=true");
    api.expect(404, Method::patch, all + "/user.signup", "{}");
}

TEST_CASE("PUT creates an event type or replaces it") {
    ApiFixture api;
    CHECK(text_at(api.expect(201, Method::put, all + "/a.b", quoted("{'description':'d','schemas':{}}")),
                  "schemas") == "{}");
    const auto replaced =
        api.expect(200, Method::put, all + "/a.b", quoted("{'description':'e','archived':true}"));
    CHECK(text_at(replaced, "archived") == "true");
    CHECK(text_at(replaced, "schemas") == "null");
    CHECK(api.sql("SELECT count(*) FROM event_type") == "1");
    api.expect(422, Method::put, all + "/a%20b", quoted("{'description':'d'}"));
}

TEST_CASE("schemas are listed only on demand") {
    ApiFixture api;
    api.expect(201, Method::post, all, quoted("{'name':'a','description':'','schemas':{'1':{}}}"));
    const auto schemas = [&](const std::string& query) {
        return text_at(api.expect(200, Method::get, all + query).at("data").at(0), "schemas");
    };
    CHECK(schemas("") == "null");
    CHECK(schemas("?with_content=false") == "null");
    CHECK(schemas("?with_content=true") == quoted("{'1':{}}"));
}

TEST_CASE("wrong event types are refused") {
    ApiFixture api;
    for (const std::string bad :
         {"{}", "{'name':'a b','description':''}", "{'name':'a'}", "{'name':'','description':''}",
          "{'name':'a','description':null}", "{'name':'a','description':'','schemas':{'1':5}}",
          "{'name':'a','description':'','schemas':[]}",
          "{'name':'a','description':'','schemas':{'1':{'x':'\\u0000'}}}",
          "{'name':'a','description':'','archived':1}",
          "{'name':'a','description':'','featureFlag':'a b'}"}) {
        INFO(bad);
        CHECK(api.call(Method::post, all, quoted(bad)).status == 422);
    }
    CHECK(api.expect(422, Method::post, all, quoted("{'archived':1}")).at("detail").as_array().size() == 3);
    api.expect(422, Method::get, all + "?with_content=1&include_archived=x");
    api.expect(422, Method::post, all,
               quoted("{'name':'a','description':'','schemas':{'1':{'x':'") + std::string(256 * 1024, 'a') +
                   quoted("'}}}"));
}

TEST_CASE("another organization has event types of its own") {
    ApiFixture api;
    const auto stranger = api.token_of(api.other_organization());
    const auto body = quoted("{'name':'a','description':''}");
    api.expect(201, Method::post, all, body);
    for (const auto method : {Method::get, Method::patch, Method::del})
        CHECK(api.call(method, all + "/a", "{}", stranger).status == 404);
    CHECK(api.expect(200, Method::get, all, {}, stranger).at("data").as_array().empty());
    api.expect(201, Method::post, all, body, stranger);
    api.expect(204, Method::del, all + "/a?expunge=true", {}, stranger);
    api.expect(200, Method::get, all + "/a");
}

TEST_CASE("schemas are checked when they are stored, with the version and the place in it") {
    ApiFixture api;
    const auto refused = api.expect(422, Method::post, all,
                                    quoted("{'name':'a','description':'','schemas':{'1':{},"
                                           "'2':{'properties':{'a/b':{'type':'strin'}}},'3':{'$ref':'https://"
                                           "example.com/x'},'4':{'maximum':1e400}}}"));
    const auto& detail = refused.at("detail").as_array();
    REQUIRE(detail.size() == 3);
    CHECK(text_at(detail[0], "loc") == quoted("['body','schemas','2']"));
    CHECK_THAT(text_at(detail[0], "msg"), contains("/properties/a~1b/type: must be"));
    CHECK(text_at(detail[1], "loc") == quoted("['body','schemas','3']"));
    CHECK_THAT(text_at(detail[1], "msg"), contains("/$ref: must begin with #"));
    CHECK_THAT(text_at(detail[2], "msg"), contains("numbers that a double can hold"));
    // One of a draft that is unknown here is kept.
    api.expect(201, Method::post, all,
               quoted("{'name':'a','description':'','schemas':{'1':{"
                      "'$schema':'https://json-schema.org/draft/2020-12/schema','prefixItems':5}}}"));
}

TEST_CASE("an event type enforces the newest of its schemas, which must be one that can be enforced") {
    ApiFixture api;
    const auto post = [&](const std::string& fields) {
        return api.call(Method::post, all, quoted("{'name':'a','description':''," + fields + "}"));
    };
    CHECK(post("'enforceSchema':true").status == 422);
    CHECK(post("'enforceSchema':true,'schemas':{}").status == 422);
    CHECK(post("'enforceSchema':true,'schemas':{'v1':{}}").status == 422);
    CHECK(post("'enforceSchema':1,'schemas':{'1':{}}").status == 422);
    const auto refused = post("'enforceSchema':true,'schemas':{'9':{},'10':{'items':{'pattern':'(?=a)'}}}");
    CHECK(refused.status == 422);
    CHECK_THAT(refused.body, contains(quoted("['body','schemas','10']")));
    CHECK_THAT(refused.body, contains("/items/pattern: can not be used as a pattern"));
    // An older version need not be.
    const auto made = post("'enforceSchema':true,'schemas':{'9':{'prefixItems':[]},'10':{}}");
    CHECK(made.status == 201);
    CHECK(text_at(boost::json::parse(made.body), "enforceSchema") == "true");
    CHECK(text_at(api.expect(200, Method::get, all).at("data").at(0), "enforceSchema") == "true");
}

TEST_CASE("enforcement is changed by those who know of it alone") {
    ApiFixture api;
    const auto one = all + "/a";
    const auto schemas = quoted("'schemas':{'1':{'type':'object'}}");
    const auto enforced = [&](const boost::json::value& shown) { return text_at(shown, "enforceSchema"); };
    CHECK(enforced(api.expect(201, Method::put, one, quoted("{'description':'',") + schemas + "}")) ==
          "false");
    CHECK(enforced(api.expect(200, Method::patch, one, quoted("{'enforceSchema':true}"))) == "true");
    CHECK(enforced(api.expect(200, Method::put, one, quoted("{'description':'x',") + schemas + "}")) ==
          "true");
    api.expect(422, Method::put, one, quoted("{'description':'x'}"));
    api.expect(422, Method::patch, one, quoted("{'schemas':null}"));
    CHECK(enforced(api.expect(200, Method::patch, one, quoted("{'schemas':null,'enforceSchema':false}"))) ==
          "false");
    api.expect(200, Method::patch, one, quoted("{'enforceSchema':true,") + schemas + "}");
    api.expect(204, Method::del, one);
    CHECK(enforced(api.expect(201, Method::post, all, quoted("{'name':'a','description':''}"))) == "false");
}

TEST_CASE("a change of what is enforced has a new revision, another change has not") {
    ApiFixture api;
    const auto revision = [&] {
        return api.sql("SELECT schema_revision FROM event_type WHERE deleted_at IS NULL");
    };
    api.expect(
        201, Method::post, all,
        quoted("{'name':'a','description':'','enforceSchema':true,'schemas':{'1':{'type':'object'}}}"));
    std::set<std::string> seen{revision()};
    for (const std::string same :
         {"{'description':'x'}", "{'deprecated':true}", "{'schemas':{'1':{'type':'object'}}}"}) {
        api.expect(200, Method::patch, all + "/a", quoted(same));
        CHECK(seen.contains(revision()));
    }
    for (const std::string other : {"{'schemas':{'1':{}}}", "{'enforceSchema':false}",
                                    "{'enforceSchema':true}", "{'archived':true}", "{'archived':false}"}) {
        api.expect(200, Method::patch, all + "/a", quoted(other));
        CHECK(seen.insert(revision()).second);
    }
    api.expect(204, Method::del, all + "/a?expunge=true");
    api.expect(201, Method::post, all, quoted("{'name':'a','description':''}"));
    CHECK(seen.insert(revision()).second);
}
