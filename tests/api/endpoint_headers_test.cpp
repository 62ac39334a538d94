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

namespace {
constexpr std::string_view credentials = "{'Authorization':'Basic abc','X-API-Key':'k','X-Plain':'1'}";

struct MovingApi : HeadersApi {
    std::string kept = quoted("{'headers':{'X-Plain':'1'},'sensitive':['Authorization','X-API-Key']}");
    std::string left = quoted("{'headers':{'X-Plain':'1'},'sensitive':[]}");
    std::string dropped = quoted("['Authorization','X-API-Key']");

    // From https://127.0.0.1:9/hook with credentials; the answer.
    boost::json::object move(Method method, const std::string& body) {
        expect(200, Method::put, path, quoted("{'url':'https://127.0.0.1:9/hook','headers':{}}"));
        put(std::string(credentials));
        return expect(200, method, path, quoted(body)).as_object();
    }
    boost::json::value audited() {
        return expect(200, Method::get, "/api/v1/audit-log?limit=1&action=endpoint.update")
            .at("data")
            .at(0)
            .at("details");
    }
};
}  // namespace

TEST_CASE("credentials stay with the origin that they were given for") {
    MovingApi api;
    const auto method = GENERATE(Method::put, Method::patch);
    for (const auto& [url, origin] : std::initializer_list<std::pair<std::string, std::string>>{
             {"https://127.0.0.2:9/hook", "https://127.0.0.2:9"},    // host
             {"https://127.0.0.1:10/hook", "https://127.0.0.1:10"},  // port
             {"https://127.0.0.1/hook?k=v", "https://127.0.0.1"},
             {"http://127.0.0.1:9/hook", "http://127.0.0.1:9"}}) {  // scheme
        INFO(to_string(method) << " " << url);
        const auto answer = api.move(method, "{'url':'" + url + "'}");
        CHECK(text_at(answer, "droppedHeaders") == api.dropped);
        CHECK(api.shown() == api.left);
        CHECK(text_at(api.audited(), "origin") == origin);
        CHECK(text_at(api.audited(), "droppedHeaders") == api.dropped);
        // For good: the way back does not bring them back.
        api.expect(200, method, api.path, quoted("{'url':'https://127.0.0.1:9/hook'}"));
        CHECK(api.shown() == api.left);
    }
}

TEST_CASE("credentials stay where the origin is the same in another spelling, or the rest changes") {
    MovingApi api;
    const auto method = GENERATE(Method::put, Method::patch);
    for (const std::string url : {"https://127.0.0.1:9/other?k=v", "HTTPS://0x7f.1:9/hook#there"}) {
        INFO(to_string(method) << " " << url);
        CHECK_FALSE(api.move(method, "{'url':'" + url + "'}").contains("droppedHeaders"));
        CHECK(api.shown() == api.kept);
        CHECK_FALSE(api.audited().as_object().contains("origin"));
    }
}

TEST_CASE("what the request that moves an endpoint sets goes to the new origin") {
    MovingApi api;
    const std::string elsewhere = "{'url':'https://127.0.0.2/',";
    auto answer =
        api.move(Method::patch, elsewhere + "'headers':{'authorization':'Basic new','X-Plain':'2'}}");
    CHECK(text_at(answer, "droppedHeaders") == quoted("['X-API-Key']"));
    CHECK(api.shown() == quoted("{'headers':{'X-Plain':'2'},'sensitive':['authorization']}"));
    CHECK(text_at(api.audited(), "headers") == "changed");
    answer = api.move(Method::put, elsewhere + "'headers':{'X-Api-Key':'new'}}");
    CHECK(text_at(answer, "droppedHeaders") == quoted("['Authorization']"));
    CHECK(api.shown() == quoted("{'headers':{},'sensitive':['X-Api-Key']}"));
    CHECK(api.call(Method::patch, api.path, quoted(elsewhere + "'headers':{'Host':'x'}}")).status == 422);
    CHECK(api.call(Method::put, api.path, quoted(elsewhere + "'headers':{'X-A':null}}")).status == 422);
}

TEST_CASE("an endpoint's headers can be changed together with the rest, within their bounds") {
    HeadersApi api;
    std::string headers = "{";
    for (int i = 0; i < 40; ++i) headers += (i ? ",'x-" : "'x-") + std::to_string(i) + "':''";
    api.put(headers + "}");
    api.expect(422, Method::patch, api.path, quoted("{'description':'d','headers':{'one-more':''}}"));
    CHECK(api.sql("SELECT description FROM endpoint").empty());
    api.expect(200, Method::patch, api.path, quoted("{'headers':{'x-0':null,'one-more':''}}"));
    api.expect(200, Method::put, api.path, quoted("{'url':'https://127.0.0.1:9/','headers':{'X-A':'b'}}"));
    CHECK(api.shown() == quoted("{'headers':{'X-A':'b'},'sensitive':[]}"));
}

TEST_CASE("an endpoint's secret stays when its URL goes to another origin") {
    MovingApi api;
    const auto before = api.expect(200, Method::get, api.path + "/secret");
    api.move(Method::patch, "{'url':'https://127.0.0.2/'}");
    CHECK(api.expect(200, Method::get, api.path + "/secret") == before);
}
