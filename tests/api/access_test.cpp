#include <sstream>

#include "base/crypto.hpp"
#include "base/encoding.hpp"
#include "domain/access_token.hpp"
#include "support/api_fixture.hpp"
#include "support/catch.hpp"
#include "support/secret_watch.hpp"

using namespace posthorn;
using namespace posthorn::test;
using namespace std::chrono_literals;
using http::Method;

namespace {
std::string make_key(ApiFixture& api, const std::string& scopes, const std::string& more = {}) {
    return text_at(api.expect(201, Method::post, "/api/v1/api-key",
                              quoted("{'name':'k','scopes':" + scopes + more + "}")),
                   "key");
}
}  // namespace

TEST_CASE("a request without a valid token is refused") {
    ApiFixture api;
    const auto refused = [&](const std::string& token) {
        const auto response = api.call(Method::get, "/api/v1/app", {}, token);
        CHECK(response.status == 401);
        CHECK(text_at(boost::json::parse(response.body), "code") == "authentication_failed");
        REQUIRE(response.fields.find("WWW-Authenticate"));
    };
    const auto now = api.clock.system_now();
    refused("");
    refused("nonsense");
    refused("phk_" + std::string(43, 'A'));
    refused(domain::make_access_token(Secret("another key"), api.organization(), std::nullopt, now, 1h));
    refused(domain::make_access_token(api.jwt_secret, api.organization(), std::nullopt, now - 2h, 1h));
    const auto claims = base64url_encode(quoted("{'sub':'") + api.organization().str() + quoted("'}"));
    refused(base64url_encode(R"({"alg":"none"})") + "." + claims + ".");
    const auto confused = base64url_encode(R"({"alg":"RS256"})") + "." + claims;
    refused(confused + "." + base64url_encode(hmac_sha256(api.jwt_secret.reveal(), confused)));
    const auto valid = domain::make_access_token(api.jwt_secret, api.organization(), std::nullopt, now, 1h);
    refused(valid.substr(0, valid.rfind('.') + 1));  // an empty signature
    refused(valid.substr(0, valid.size() - 1));
    refused(valid + std::string(5'000, 'A'));
    refused(domain::make_access_token(api.jwt_secret, api.organization(), std::nullopt, now + 1h, 1h));
}

TEST_CASE("an application's token reaches that application and nothing else") {
    ApiFixture api;
    const auto own = api.make_application("own"), other = api.make_application("other");
    const auto endpoint = api.make_endpoint(own), strange = api.make_endpoint(other);
    const auto token = api.token_of(api.organization(), ApplicationId::parse(own));
    const auto status = [&](Method method, const std::string& path, const std::string& body = "{}") {
        return api.call(method, path, body, token).status;
    };
    CHECK(status(Method::get, "/api/v1/app/" + own) == 200);
    CHECK(status(Method::get, "/api/v1/app/own/endpoint") == 200);
    CHECK(status(Method::post, "/api/v1/app/own/endpoint", quoted("{'url':'http://127.0.0.1/'}")) == 201);
    CHECK(status(Method::patch, "/api/v1/app/own/endpoint/" + endpoint) == 200);
    CHECK(status(Method::get, "/api/v1/app/own/endpoint/" + endpoint + "/secret") == 200);
    CHECK(status(Method::get, "/api/v1/event-type") == 200);

    CHECK(status(Method::get, "/api/v1/app/" + other) == 404);
    CHECK(status(Method::get, "/api/v1/app/other/endpoint/" + strange) == 404);
    CHECK(status(Method::get, "/api/v1/app/missing") == 404);
    CHECK(status(Method::get, "/api/v1/app/own/endpoint/" + strange) == 404);
    CHECK(status(Method::get, "/api/v1/app") == 403);
    CHECK(status(Method::post, "/api/v1/app", quoted("{'name':'x'}")) == 403);
    CHECK(status(Method::patch, "/api/v1/app/own") == 403);
    CHECK(status(Method::put, "/api/v1/app/missing", quoted("{'name':'x'}")) == 403);
    CHECK(status(Method::del, "/api/v1/app/own") == 403);
    CHECK(status(Method::post, "/api/v1/event-type") == 403);
    CHECK(status(Method::get, "/api/v1/api-key") == 403);
    CHECK(status(Method::post, "/api/v1/api-key") == 403);

    const auto foreign = api.token_of(api.other_organization(), ApplicationId::parse(own));
    CHECK(api.call(Method::get, "/api/v1/app/" + own, {}, foreign).status == 404);
    api.expect(204, Method::del, "/api/v1/app/own");
    CHECK(status(Method::get, "/api/v1/app/" + own) == 404);
}

TEST_CASE("a token that was accepted is refused when it has expired") {
    ApiFixture api;
    const auto token = domain::make_access_token(api.jwt_secret, api.organization(), std::nullopt,
                                                 api.clock.system_now(), std::chrono::hours(1));
    const auto status = [&] { return api.call(Method::get, "/api/v1/app", {}, token).status; };
    CHECK(status() == 200);
    CHECK(status() == 200);
    api.clock.advance(std::chrono::hours(2));
    CHECK(status() == 401);
}

TEST_CASE("an API key is shown once and only its hash is kept") {
    ApiFixture api;
    const auto made =
        api.expect(201, Method::post, "/api/v1/api-key", quoted("{'name':'ci','scopes':['*']}"));
    const auto key = text_at(made, "key");
    CHECK(key.size() == 47);
    CHECK(key.starts_with("phk_"));
    CHECK(text_at(made, "scopes") == quoted("['*']"));
    CHECK(text_at(made, "expiresAt") == "null");
    CHECK(api.sql("SELECT encode(hash, 'hex') FROM api_key") == hex_encode(sha256(key)));
    const auto listed = api.expect(200, Method::get, "/api/v1/api-key", {}, key).at("data").at(0);
    CHECK_FALSE(listed.as_object().contains("key"));
    CHECK(text_at(listed, "id") == text_at(made, "id"));
    CHECK(api.sql("SELECT count(*) FROM audit_log WHERE details::text LIKE '%phk_%'") == "0");
    const auto application = api.make_application({}, key);
    CHECK(api.sql("SELECT actor FROM audit_log WHERE subject = '" + application + "'") ==
          text_at(made, "id"));
}

TEST_CASE("a plain API key is in no table and in no later answer") {
    ApiFixture api;
    const auto made =
        api.expect(201, Method::post, "/api/v1/api-key", quoted("{'name':'ci','scopes':['*']}"));
    const auto key = text_at(made, "key"), id = text_at(made, "id");
    api.make_endpoint(api.make_application("acme", key), "http://127.0.0.1:9/hook", key);
    SecretWatch watch;
    watch.remember(key);
    watch.remember(key.substr(4));
    const auto tables = api.sql(
        "SELECT string_agg(format('SELECT %L || coalesce(string_agg(t::text, %L), %L) FROM %I t', relname, "
        "'', "
        "'', relname), ';' ORDER BY relname) FROM pg_class "
        "WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace");
    std::istringstream queries(tables);
    std::size_t read = 0;
    for (std::string query; std::getline(queries, query, ';'); ++read) {
        const auto rows = api.sql(query);
        INFO(query);
        CHECK_FALSE(watch.find_leak(rows));
        if (rows.starts_with("api_key")) CHECK_THAT(rows, contains(hex_encode(sha256(key))));
    }
    CHECK(read > 15);
    for (const std::string path :
         {"/api/v1/api-key", "/api/v1/api-key/", "/api/v1/audit-log", "/api/v1/app/acme/endpoint"}) {
        const auto answer = api.call(Method::get, path.ends_with('/') ? path + id : path, {}, key);
        CHECK(answer.status == 200);
        CHECK_FALSE(watch.find_leak(answer.body));
    }
    api.expect(204, Method::del, "/api/v1/api-key/" + id);
    CHECK_FALSE(watch.find_leak(api.call(Method::get, "/api/v1/audit-log").body));
}

TEST_CASE("an API key may do what its scopes say") {
    ApiFixture api;
    const auto application = api.make_application("acme");
    const auto endpoint = api.make_endpoint(application);
    const auto path = "/api/v1/app/acme/endpoint/" + endpoint;
    const auto reader = make_key(api, "['endpoint:read']"), writer = make_key(api, "['endpoint:write']");
    CHECK(api.call(Method::get, path, {}, reader).status == 200);
    CHECK(api.call(Method::get, path, {}, writer).status == 200);
    CHECK(api.call(Method::patch, path, "{}", writer).status == 200);
    const auto refused = api.call(Method::patch, path, "{}", reader);
    CHECK(refused.status == 403);
    CHECK_THAT(refused.body, contains("endpoint:write"));
    CHECK(api.call(Method::get, path + "/secret", {}, reader).status == 403);
    CHECK(api.call(Method::get, "/api/v1/app/acme", {}, writer).status == 403);
    CHECK(api.call(Method::get, "/api/v1/api-key", {}, writer).status == 403);
}

TEST_CASE("an API key can be bound to one application") {
    ApiFixture api;
    const auto own = api.make_application("own");
    api.make_application("other");
    const auto key = make_key(api, "['*']", ",'applicationId':'own'");
    CHECK(api.call(Method::get, "/api/v1/app/" + own, {}, key).status == 200);
    CHECK(api.call(Method::patch, "/api/v1/app/own", "{}", key).status == 200);
    CHECK(api.call(Method::get, "/api/v1/app/other", {}, key).status == 404);
    CHECK(api.call(Method::put, "/api/v1/app/new", quoted("{'name':'x'}"), key).status == 404);
    CHECK(api.call(Method::get, "/api/v1/app", {}, key).status == 403);
    CHECK(api.call(Method::get, "/api/v1/api-key", {}, key).status == 403);
}

TEST_CASE("nobody makes an API key that may do more than himself") {
    ApiFixture api;
    const auto key = make_key(api, "['api-key:write','endpoint:write']");
    const auto make = [&](const std::string& scopes) {
        return api.call(Method::post, "/api/v1/api-key", quoted("{'name':'x','scopes':" + scopes + "}"), key)
            .status;
    };
    CHECK(make("['endpoint:read']") == 201);
    CHECK(make("['api-key:read','endpoint:write']") == 201);
    CHECK(make("['*']") == 422);
    CHECK(make("['message:read']") == 422);
}

TEST_CASE("an API key ends when it expires or is revoked") {
    ApiFixture api;
    const auto works = [&](const std::string& key) {
        return api.call(Method::get, "/api/v1/app", {}, key).status == 200;
    };
    const auto key = make_key(api, "['*']");
    CHECK(works(key));
    const auto listed = api.expect(200, Method::get, "/api/v1/api-key").at("data").at(0);
    const auto id = text_at(listed, "id");
    CHECK(api.expect(200, Method::get, "/api/v1/api-key/" + id) == listed);
    api.expect(404, Method::get, "/api/v1/api-key/" + id, {}, api.token_of(api.other_organization()));
    api.expect(404, Method::get, "/api/v1/api-key/nonsense");
    api.expect(404, Method::del, "/api/v1/api-key/" + id, {}, api.token_of(api.other_organization()));
    api.expect(204, Method::del, "/api/v1/api-key/" + id);
    api.expect(404, Method::get, "/api/v1/api-key/" + id);
    api.expect(404, Method::del, "/api/v1/api-key/" + id);
    api.expect(404, Method::del, "/api/v1/api-key/nonsense");
    api.clock.advance(2s);
    CHECK_FALSE(works(key));

    const auto brief = make_key(api, "['*']", ",'expiresAt':'2126-01-01T00:00:00Z'");
    CHECK(works(brief));
    api.clock.jump_wall_clock(std::chrono::hours(24 * 365 * 101));
    CHECK_FALSE(works(brief));
}

TEST_CASE("everything that is wrong with an API key is answered at once") {
    ApiFixture api;
    const auto answer = api.expect(422, Method::post, "/api/v1/api-key",
                                   quoted("{'name':'','scopes':['x','endpoint:delete'],'expiresAt':'2001-01-"
                                          "01T00:00:00Z','applicationId':'missing'}"));
    CHECK(answer.at("detail").as_array().size() == 5);
    api.expect(422, Method::post, "/api/v1/api-key", quoted("{'name':'x','scopes':[]}"));
    api.expect(422, Method::post, "/api/v1/api-key", quoted("{'name':'x','scopes':['*','*']}"));
    api.make_application("strange", api.token_of(api.other_organization()));
    api.expect(422, Method::post, "/api/v1/api-key",
               quoted("{'name':'x','scopes':['*'],'applicationId':'strange'}"));
}

TEST_CASE("probes need no token") {
    ApiFixture api;
    CHECK(api.call(Method::get, "/api/v1/health", {}, "").status == 204);
    CHECK(api.call(Method::get, "/api/v1/health/ping/", {}, "").status == 204);
    CHECK(api.call(Method::get, "/live", {}, "").status == 200);
    CHECK(api.call(Method::get, "/ready", {}, "").status == 200);
    CHECK(api.call(Method::post, "/api/v1/auth/logout", {}, "").status == 204);
}

TEST_CASE("a service without its database is live and not ready") {
    ApiFixture api;
    store::Pool away(api.io().get_executor(), {.conninfo = "host=/nonexistent dbname=none"}, 1);
    auto& usual = api.context();
    admin::Context context{
        away, api.clock, api.jwt_secret, usual.secret_box, usual.host_checker, usual.request_timeout};
    http::Router router;
    admin::add_routes(router, context);
    const auto status = [&](const std::string& path) {
        auto request = api.request(Method::get, path, {}, "");
        return api.run(router.dispatch(request)).status;
    };
    CHECK(status("/live") == 200);
    CHECK(status("/ready") == 503);
}

TEST_CASE("the ready probe does not wait for a database that hangs") {
    ApiFixture api;
    std::vector<store::Pool::Lease> every_connection;
    for (int i = 0; i < 4; ++i) every_connection.push_back(api.run(api.pool().acquire()));
    CHECK(api.call(Method::get, "/ready", {}, "").status == 503);
    every_connection.clear();
    CHECK(api.call(Method::get, "/ready", {}, "").status == 200);
}
