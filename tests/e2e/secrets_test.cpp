// Nothing secret is written into the log, whatever happens.
#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/encoding.hpp"
#include "command_line.hpp"
#include "support/becomes_true.hpp"
#include "support/catch.hpp"
#include "support/receiver.hpp"
#include "support/secret_watch.hpp"
#include "support/service.hpp"

using namespace posthorn;
using posthorn::test::contains;
using posthorn::test::Receiver;
using posthorn::test::SecretWatch;
using posthorn::test::Service;
namespace json = boost::json;

namespace {
// Each is watched for, and is long enough not to be found by chance.
struct Marks {
    std::string secret = "whsec_" + base64_encode("marked-signing-secret-0001");
    std::string rotated = "whsec_" + base64_encode("marked-rotated-secret-0002");
    std::string authorization = "Bearer marked-authorization-0003";
    std::string own_header = "marked-own-header-0004";
    std::string query = "marked-url-query-0005";
    std::string payload = "marked-payload-0006";
    std::string message_header = "marked-message-header-0007";
    std::string answer = "marked-answer-of-the-receiver-0008";
    std::string wrong_token = "marked-wrong-token-0009";
    std::string api_query = "marked-query-of-the-api-0010";
    std::string broken_body = "marked-broken-body-0011";
    std::string metadata = "marked-metadata-0012";

    std::vector<std::string> all() const {
        return {secret,         rotated, authorization, own_header, query,       payload,
                message_header, answer,  wrong_token,   api_query,  broken_body, metadata};
    }
};

struct Surfaces {
    Marks marks;
    std::string database = test::TestPostgres::instance().make_database();
    Receiver failing{{.status = 500, .body = marks.answer}};
    Service service;

    explicit Surfaces(const std::string& format)
        : service({.database_url = database,
                   .environment = {{"POSTHORN_LOG_LEVEL", "trace"},
                                   {"POSTHORN_LOG_FORMAT", format},
                                   {"POSTHORN_ACCESS_LOG", "true"}}}) {
        for (const auto& mark : marks.all()) service.watch_for(mark);
        service.make_application("acme");
    }
    std::string make_endpoint(const std::string& url) {
        return service.make_endpoint(
            "acme", url + "?token=" + marks.query,
            {{"secret", marks.secret},
             {"headers", {{"Authorization", marks.authorization}, {"X-Own", marks.own_header}}},
             {"metadata", {{"note", marks.metadata}}}});
    }
    json::object message() const {
        return {{"eventType", "a"},
                {"payload", {{"text", marks.payload}}},
                {"headers", {{"X-Message", marks.message_header}}}};
    }
    void send() { service.expect(202, "POST", "/api/v1/app/acme/msg", json::serialize(message())); }
    bool becomes(const std::string& count, const std::string& from) const {
        return test::becomes_true(
            [&] { return test::run_sql(database, "SELECT count(*) FROM " + from) == count; });
    }

    void change_endpoints(const std::string& endpoint) {
        const auto path = "/api/v1/app/acme/endpoint/" + endpoint;
        service.expect(200, "GET", path + "/secret");
        service.expect(204, "POST", path + "/secret/rotate",
                       json::serialize(json::object{{"key", marks.rotated}}));
        service.expect(200, "GET", path + "/headers");
        service.expect(200, "PATCH", path,
                       json::serialize(json::object{{"url", failing.url("/x?t=" + marks.query)}}));
    }
    void use_keys() {
        const auto made = service.expect(201, "POST", "/api/v1/api-key", R"({"name":"n","scopes":["*"]})");
        service.expect(200, "GET", "/api/v1/app?limit=1", {}, std::string(made.at("key").as_string()));
        service.expect(200, "POST", "/api/v1/auth/app-portal-access/acme", "{}");
        service.expect(401, "GET", "/api/v1/app", {}, marks.wrong_token);
        service.expect(401, "GET", "/api/v1/app", {}, "phk_" + marks.wrong_token);
    }
    void send_what_is_refused() {
        service.expect(422, "GET", "/api/v1/app?limit=" + marks.api_query);
        service.api("POST", "/api/v1/app/acme/msg", "{\"" + marks.broken_body);
        service.expect(422, "POST", "/api/v1/app/acme/endpoint",
                       json::serialize(json::object{{"url", "http://u:" + marks.broken_body + "@127.0.0.1/"},
                                                    {"secret", marks.broken_body},
                                                    {"headers", {{"Host", marks.broken_body}}}}));
    }
    // Everything at error level that can be brought about from outside.
    void break_the_database(const std::string& endpoint) {
        test::run_sql(database, "UPDATE endpoint_secret SET sealed = '\\x0102'");
        service.api("GET", "/api/v1/app/acme/endpoint/" + endpoint + "/secret");
        make_endpoint(failing.url());  // a change: the configurations are read anew
        service.api("PATCH", "/api/v1/app/acme/endpoint/" + endpoint, R"({"description":"d"})");
        // A row that breaks a constraint is in PostgreSQL's error, as its detail.
        refuse_rows_of("audit_log");
        service.api("POST", "/api/v1/app/acme/endpoint",
                    json::serialize(
                        json::object{{"url", failing.url("/y?t=" + marks.query)}, {"secret", marks.secret}}));
        refuse_rows_of("message");
        service.api("POST", "/api/v1/app/acme/msg", json::serialize(message()));
    }
    void refuse_rows_of(const std::string& table) const {
        test::run_sql(database, "ALTER TABLE " + table + " ADD CONSTRAINT refused CHECK (false) NOT VALID");
    }
    void becomes_logged(const std::string& words) const {
        INFO(words);
        CHECK(test::becomes_true([&] { return service.log().find(words) != std::string::npos; }));
    }
};
}  // namespace

TEST_CASE("no line of the log holds a secret, a token, a header's value, a URL's query or a payload") {
    Surfaces s(GENERATE(as<std::string>(), "text", "json"));
    const auto endpoint = s.make_endpoint(s.failing.url());
    s.make_endpoint("http://127.0.0.1:1/refused");
    s.make_endpoint("https://127.0.0.1:" + std::to_string(s.failing.port()) + "/no-tls");
    s.send();
    REQUIRE(s.becomes("3", "dead_letter"));
    s.change_endpoints(endpoint);
    s.use_keys();
    s.send_what_is_refused();
    s.break_the_database(endpoint);
    s.becomes_logged("failed: a secret of endpoint");                   // the API
    s.becomes_logged("can not be delivered to: a secret of endpoint");  // a worker
    s.becomes_logged("failed: new row for relation");
    s.becomes_logged("can not be stored: new row for relation");
    s.becomes_logged("GET /api/v1/app?limit status=422");
    s.service.kill();  // looks for all of them
}

TEST_CASE("a secret is found in a log as it is, in base64 and in hex") {
    SecretWatch watch;
    watch.remember("whsec_" + base64_encode("a signing key of 24 bytes"));
    watch.learn_from(R"({"url":"http://a/?k=in-a-query&short=x","headers":{"Cookie":"in a header"},
                         "list":[{"key":"phk_0123456789abcdef"}],"name":"not secret at all"})");
    for (const std::string leak :
         {"a signing key of 24 bytes", "in-a-query", "in a header", "phk_0123456789abcdef"})
        for (const auto& form : {leak, base64_encode(leak), base64url_encode(leak), hex_encode(leak)}) {
            INFO(form);
            CHECK(watch.find_leak("first\nsecond " + form + " and more\nthird") ==
                  "second " + form + " and more");
        }
    CHECK(watch.find_leak("short=x not secret at all").has_value() == false);
}

TEST_CASE("a database URL that can not be read is refused without being shown") {
    const auto url =
        GENERATE(as<std::string>(), "postgres://someone:marked/word@localhost/db",
                 "postgres://someone:marked@word@localhost/db", "postgres://someone:123/marked@localhost/db",
                 "postgres://someone:%zzmarked@localhost/db", "host=localhost password=some marked");
    const auto refused = test::run_posthorn({"serve"}, {{"POSTHORN_DATABASE_URL", url},
                                                        {"POSTHORN_JWT_SECRET", "a secret of the tests"},
                                                        {"POSTHORN_MASTER_KEY", std::string(64, '1')}});
    INFO(url << "\n" << refused.errors);
    CHECK(refused.status != 0);
    CHECK_THAT(refused.errors + refused.output, !contains("marked"));
}
