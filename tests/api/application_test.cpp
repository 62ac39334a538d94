#include "support/api_fixture.hpp"
#include "support/catch.hpp"

using namespace posthorn;
using namespace posthorn::test;
using http::Method;

namespace {
const std::string all = "/api/v1/app";
}

TEST_CASE("an application is created, read, changed and deleted") {
    ApiFixture api;
    const auto made =
        api.expect(201, Method::post, all,
                   quoted("{'name':'Acme','uid':'acme','throttleRate':7,'metadata':{'plan':'gold'}}"));
    const auto id = text_at(made, "id");
    CHECK(ApplicationId::parse(id));
    CHECK(text_at(made, "uid") == "acme");
    CHECK(text_at(made, "throttleRate") == "7");
    CHECK(text_at(made, "rateLimit") == "7");
    CHECK(text_at(made, "metadata") == quoted("{'plan':'gold'}"));
    CHECK(text_at(made, "createdAt") == text_at(made, "updatedAt"));
    CHECK(api.expect(200, Method::get, all + "/" + id) == made);
    CHECK(api.expect(200, Method::get, all + "/acme/") == made);

    const auto put = api.expect(200, Method::put, all + "/" + id, quoted("{'name':'Acme 2'}"));
    CHECK(text_at(put, "name") == "Acme 2");
    CHECK(text_at(put, "uid") == "null");
    CHECK(text_at(put, "throttleRate") == "null");
    CHECK(text_at(put, "metadata") == "{}");
    CHECK(text_at(put, "updatedAt") > text_at(put, "createdAt"));

    CHECK(api.call(Method::del, all + "/" + id).status == 204);
    CHECK(api.call(Method::get, all + "/" + id).status == 404);
    CHECK(api.call(Method::del, all + "/" + id).status == 404);
    CHECK(api.sql("SELECT string_agg(action, ' ' ORDER BY id) FROM audit_log WHERE subject = '" + id + "'") ==
          "application.create application.update application.delete");
}

TEST_CASE("PATCH changes what is mentioned, null clears it") {
    ApiFixture api;
    api.expect(201, Method::post, all,
               quoted("{'name':'Acme','uid':'acme','rateLimit':7,'metadata':{'a':'b'}}"));
    auto patched = api.expect(200, Method::patch, all + "/acme", quoted("{'name':'Other'}"));
    CHECK(text_at(patched, "name") == "Other");
    CHECK(text_at(patched, "uid") == "acme");
    CHECK(text_at(patched, "throttleRate") == "7");
    CHECK(text_at(patched, "metadata") == quoted("{'a':'b'}"));
    patched = api.expect(200, Method::patch, all + "/acme",
                         quoted("{'uid':null,'throttleRate':null,'metadata':{}}"));
    CHECK(text_at(patched, "uid") == "null");
    CHECK(text_at(patched, "throttleRate") == "null");
    CHECK(text_at(patched, "metadata") == "{}");
    api.expect(422, Method::patch, all + "/" + text_at(patched, "id"), quoted("{'name':null}"));
}

TEST_CASE("a uid belongs to one application of an organization, until it is deleted") {
    ApiFixture api;
    const auto first = api.make_application("acme");
    api.expect(409, Method::post, all, quoted("{'name':'x','uid':'acme'}"));
    const auto second = api.make_application("other");
    api.expect(409, Method::patch, all + "/" + second, quoted("{'uid':'acme'}"));
    api.make_application("acme", api.token_of(api.other_organization()));
    api.expect(204, Method::del, all + "/acme");
    CHECK(api.make_application("acme") != first);
    api.expect(422, Method::post, all, quoted("{'name':'x','uid':'") + first + quoted("'}"));
}

TEST_CASE("get_if_exists gives the application that has the uid") {
    ApiFixture api;
    const auto body = quoted("{'name':'Acme','uid':'acme'}");
    const auto made = api.expect(201, Method::post, all + "?get_if_exists=true", body);
    CHECK(api.expect(200, Method::post, all + "?get_if_exists=true", body) == made);
    api.expect(409, Method::post, all + "?get_if_exists=false", body);
    api.expect(422, Method::post, all + "?get_if_exists=yes", body);
}

TEST_CASE("PUT creates an application under the path's uid, once") {
    ApiFixture api;
    const auto body = quoted("{'name':'Acme'}");
    const auto made = api.expect(201, Method::put, all + "/acme", body);
    CHECK(text_at(made, "uid") == "acme");
    const auto again = api.expect(200, Method::put, all + "/acme", body);
    CHECK(text_at(again, "id") == text_at(made, "id"));
    CHECK(text_at(again, "uid") == "acme");
    CHECK(api.sql("SELECT count(*) FROM application") == "1");
    api.expect(422, Method::put, all + "/new", quoted("{'name':'x','uid':'different'}"));
    api.expect(422, Method::put, all + "/not%20valid", body);
    api.expect(404, Method::put, all + "/" + ApplicationId::make(api.clock.system_now()).str(), body);
}

TEST_CASE("everything that is wrong with an application is answered at once") {
    ApiFixture api;
    const auto answer = api.expect(
        422, Method::post, all,
        quoted("{'name':'','uid':'a b','throttleRate':0,'rateLimit':'x','metadata':{'k':5,'l':'\\u0000'}}"));
    std::set<std::string> locations;
    for (const auto& problem : answer.at("detail").as_array())
        locations.insert(boost::json::serialize(problem.at("loc")));
    CHECK(locations ==
          std::set<std::string>{quoted("['body','name']"), quoted("['body','uid']"),
                                quoted("['body','throttleRate']"), quoted("['body','rateLimit']"),
                                quoted("['body','metadata','k']"), quoted("['body','metadata','l']")});
    const auto first_of = [&](const std::string& body) {
        const auto problem = api.expect(422, Method::post, all, body).at("detail").at(0);
        return boost::json::serialize(problem.at("loc")) + " " + text_at(problem, "type");
    };
    CHECK(first_of("not json") == quoted("['body'] value_error.jsondecode"));
    CHECK(first_of("") == quoted("['body'] value_error.jsondecode"));
    CHECK(first_of("[]") == quoted("['body'] type_error.dict"));
    CHECK(first_of(std::string(40, '[') + std::string(40, ']')) == quoted("['body'] value_error.jsondecode"));
    CHECK(first_of("{\"name\":\"\xFF\"}") == quoted("['body'] value_error.jsondecode"));
    CHECK(first_of("{}") == quoted("['body','name'] value_error.missing"));
    CHECK(first_of(quoted("{'name':null}")) == quoted("['body','name'] type_error.none.not_allowed"));
    CHECK(first_of(quoted("{'name':'") + std::string(1025, 'a') + quoted("'}")) ==
          quoted("['body','name'] value_error.any_str.max_length"));
    CHECK(first_of(quoted("{'name':'a','throttleRate':1.5}")) ==
          quoted("['body','throttleRate'] type_error.integer"));
    CHECK(first_of(quoted("{'name':'a','throttleRate':65536}")) ==
          quoted("['body','throttleRate'] value_error.number.range"));
    std::string many = quoted("{'name':'a','metadata':{");
    for (int i = 0; i <= 50; ++i) many += (i ? ",\"" : "\"") + std::to_string(i) + "\":\"\"";
    CHECK(first_of(many + "}}") == quoted("['body','metadata'] value_error.dict.max_items"));
    api.expect(201, Method::post, all, quoted("{'name':'a','surprise':{'x':[1]}}"));
    api.expect(201, Method::post, all, quoted("{'name':'") + std::string(1024, 'a') + quoted("'}"));
}

TEST_CASE("another organization's application is not found") {
    ApiFixture api;
    const auto id = api.make_application("acme");
    const auto stranger = api.token_of(api.other_organization());
    for (const auto& key : {id, std::string("acme")}) {
        for (const auto method : {Method::get, Method::patch, Method::del}) {
            const auto answer = api.expect(404, method, all + "/" + key, "{}", stranger);
            CHECK(text_at(answer, "code") == "not_found");
            CHECK(text_at(answer, "detail") == "Entity not found");
        }
    }
    api.expect(404, Method::put, all + "/" + id, quoted("{'name':'mine'}"), stranger);
    CHECK(api.expect(200, Method::get, all, {}, stranger).at("data").as_array().empty());
    CHECK(text_at(api.expect(200, Method::get, all + "/acme"), "name") == "An application");
}

TEST_CASE("deleting an application takes its endpoints along") {
    ApiFixture api;
    const auto application = api.make_application();
    const auto endpoint = api.make_endpoint(application);
    const auto version = api.sql("SELECT version FROM endpoint");
    api.expect(204, Method::del, all + "/" + application);
    CHECK(api.sql("SELECT deleted_at IS NOT NULL FROM endpoint") == "t");
    CHECK(api.sql("SELECT version FROM endpoint") > version);
    api.expect(404, Method::get, all + "/" + application + "/endpoint/" + endpoint);
    api.expect(404, Method::post, all + "/" + application + "/endpoint",
               quoted("{'url':'http://127.0.0.1/'}"));
}

TEST_CASE("a new rate of an application is told to its endpoints' workers") {
    ApiFixture api;
    const auto application = api.make_application();
    api.make_endpoint(application);
    const auto version = [&] { return api.sql("SELECT version FROM endpoint"); };
    const auto before = version();
    api.expect(200, Method::patch, all + "/" + application, quoted("{'name':'x'}"));
    CHECK(version() == before);
    api.expect(200, Method::patch, all + "/" + application, quoted("{'throttleRate':5}"));
    CHECK(version() > before);
}
