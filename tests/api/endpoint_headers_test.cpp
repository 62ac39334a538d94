#include "support/api_fixture.hpp"
#include "support/catch.hpp"

using namespace posthorn;
using namespace posthorn::test;
using http::Method;

namespace {
struct HeadersApi : ApiFixture {
    std::string application = make_application("acme");
    std::string endpoint = make_endpoint("acme", "https://127.0.0.1:9/hook");
    std::string path = "/api/v1/app/acme/endpoint/" + endpoint;
    std::string shown() { return boost::json::serialize(expect(200, Method::get, path + "/headers")); }
    void put(const std::string& headers) {
        expect(204, Method::put, path + "/headers", quoted("{'headers':" + headers + "}"));
    }
};
}  // namespace

TEST_CASE("an endpoint's headers are replaced and patched, without case") {
    HeadersApi api;
    CHECK(api.shown() == quoted("{'headers':{},'sensitive':[]}"));
    api.put("{'X-One':'1','X-Two':'2'}");
    CHECK(api.shown() == quoted("{'headers':{'X-One':'1','X-Two':'2'},'sensitive':[]}"));
    api.expect(204, Method::patch, api.path + "/headers",
               quoted("{'headers':{'x-one':'11','x-two':null,'x-three':'3','x-four':null}}"));
    CHECK(api.shown() == quoted("{'headers':{'x-one':'11','x-three':'3'},'sensitive':[]}"));
    api.put("{}");
    CHECK(api.shown() == quoted("{'headers':{},'sensitive':[]}"));
    CHECK(api.sql("SELECT headers IS NULL FROM endpoint") == "t");
}

TEST_CASE("sensitive headers are named and not shown") {
    HeadersApi api;
    api.put("{'Authorization':'Basic abc','x-api-key':'k','X-Plain':'1'}");
    CHECK(api.shown() == quoted("{'headers':{'X-Plain':'1'},'sensitive':['Authorization','x-api-key']}"));
}

TEST_CASE("headers can be given when the endpoint is created") {
    HeadersApi api;
    const auto made = api.expect(201, Method::post, "/api/v1/app/acme/endpoint",
                                 quoted("{'url':'http://127.0.0.1/','headers':{'X-A':'b'}}"));
    const auto headers =
        api.expect(200, Method::get, "/api/v1/app/acme/endpoint/" + text_at(made, "id") + "/headers");
    CHECK(text_at(headers, "headers") == quoted("{'X-A':'b'}"));
}

TEST_CASE("headers lie sealed in the database") {
    HeadersApi api;
    api.put("{'Authorization':'Basic sesame'}");
    CHECK(api.sql("SELECT length(headers) > 0 AND position('sesame'::bytea IN headers) = 0 AND "
                  "position('uthorization'::bytea IN headers) = 0 FROM endpoint") == "t");
}

TEST_CASE("headers that break HTTP or belong to the service are refused") {
    HeadersApi api;
    for (const std::string bad : {"'Host':'x'",
                                  "'content-length':'1'",
                                  "'Transfer-Encoding':'chunked'",
                                  "'connection':'x'",
                                  "'Webhook-Id':'x'",
                                  "'svix-signature':'x'",
                                  "'User-Agent':'x'",
                                  "'content-type':'x'",
                                  "'':'x'",
                                  "'a b':'x'",
                                  "'a:b':'x'",
                                  "'a\\r\\nb':'x'",
                                  "'\\u00e4':'x'",
                                  "'a':'x\\r\\nb: c'",
                                  "'a':'x\\ny'",
                                  "'a':'\\u0000'",
                                  "'a':'\\u00e4'",
                                  "'a':' x'",
                                  "'a':'x\\t'",
                                  "'a':5",
                                  "'a':null",
                                  "'X-A':'1','x-a':'2'"}) {
        INFO(bad);
        CHECK(api.call(Method::put, api.path + "/headers", quoted("{'headers':{" + bad + "}}")).status ==
              422);
    }
    CHECK(api.call(Method::put, api.path + "/headers", "{}").status == 422);
    CHECK(api.call(Method::put, api.path + "/headers", quoted("{'headers':[]}")).status == 422);
    CHECK(api.shown() == quoted("{'headers':{},'sensitive':[]}"));
}

TEST_CASE("the number of headers is bounded, through patches too") {
    HeadersApi api;
    std::string headers = "{";
    for (int i = 0; i < 40; ++i) headers += (i ? ",'x-" : "'x-") + std::to_string(i) + "':''";
    api.put(headers + "}");
    api.expect(422, Method::patch, api.path + "/headers", quoted("{'headers':{'one-more':''}}"));
    api.expect(204, Method::patch, api.path + "/headers", quoted("{'headers':{'x-0':null,'one-more':''}}"));
}

TEST_CASE("credentials do not go along to another host, nor to one without TLS") {
    HeadersApi api;
    const auto both = "{'Authorization':'Basic abc','X-Plain':'1'}";
    const auto left = quoted("{'headers':{'X-Plain':'1'},'sensitive':[]}");
    const auto kept = quoted("{'headers':{'X-Plain':'1'},'sensitive':['Authorization']}");
    const auto move_to = [&](const std::string& url) {
        api.expect(200, Method::patch, api.path, quoted("{'url':'" + url + "'}"));
        return api.shown();
    };
    api.put(both);
    CHECK(move_to("https://127.0.0.1:9/other") == kept);
    CHECK(move_to("https://127.0.0.2:9/other") == left);
    api.put(both);
    CHECK(move_to("http://127.0.0.2:9/other") == left);
    api.put(both);
    api.expect(200, Method::put, api.path, quoted("{'url':'http://127.0.0.3/'}"));
    CHECK(api.shown() == left);
}
