#include "base/encoding.hpp"
#include "domain/signature.hpp"
#include "support/api_fixture.hpp"
#include "support/catch.hpp"

using namespace posthorn;
using namespace posthorn::test;
using http::Method;

namespace {
struct SecretApi : ApiFixture {
    std::string application = make_application("acme");
    std::string endpoint = make_endpoint("acme");
    std::string path = "/api/v1/app/acme/endpoint/" + endpoint + "/secret";
    std::string key() { return text_at(expect(200, Method::get, path), "key"); }
    int rotate(const std::string& body) { return call(Method::post, path + "/rotate", quoted(body)).status; }
    std::string count(const std::string& where) {
        return sql("SELECT count(*) FROM endpoint_secret WHERE " + where);
    }
};

std::string new_key(domain::SigningKey::Kind kind) {
    return domain::SigningKey::generate(kind).text().reveal();
}
}  // namespace

TEST_CASE("an endpoint gets a secret, or has the one it was created with") {
    SecretApi api;
    CHECK(api.key().starts_with("whsec_"));
    CHECK(base64_decode(api.key().substr(6))->size() == 24);
    const std::string given = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const auto made = api.expect(201, Method::post, "/api/v1/app/acme/endpoint",
                                 quoted("{'url':'http://127.0.0.1/','secret':'" + given + "'}"));
    CHECK(
        text_at(api.expect(200, Method::get, "/api/v1/app/acme/endpoint/" + text_at(made, "id") + "/secret"),
                "key") == given);
}

TEST_CASE("secrets lie sealed in the database, each for its endpoint") {
    SecretApi api;
    const auto key = api.key();
    CHECK(api.sql("SELECT position('" + key.substr(6) + "'::bytea IN sealed) = 0 FROM endpoint_secret") ==
          "t");
    const std::string same = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    for (int i = 0; i < 2; ++i)
        api.expect(201, Method::post, "/api/v1/app/acme/endpoint",
                   quoted("{'url':'http://127.0.0.1/','secret':'" + same + "'}"));
    CHECK(api.sql("SELECT count(DISTINCT sealed) FROM endpoint_secret") == "3");
    api.sql(
        "UPDATE endpoint_secret SET sealed = (SELECT sealed FROM endpoint_secret ORDER BY id DESC LIMIT 1) "
        "WHERE endpoint_id = (SELECT id FROM endpoint ORDER BY id LIMIT 1)");
    CHECK(api.call(Method::get, api.path).status == 500);
}

TEST_CASE("a rotated secret goes on signing for its grace period") {
    SecretApi api;
    const auto before = api.key();
    CHECK(api.rotate("{}") == 204);
    CHECK(api.key() != before);
    CHECK(api.count("expires_at BETWEEN now() + interval '23 hours' AND now() + interval '25 hours'") == "1");
    CHECK(api.rotate("{'gracePeriodSeconds':60}") == 204);
    CHECK(api.count("expires_at BETWEEN now() AND now() + interval '61 seconds'") == "1");
    CHECK(api.rotate("{'gracePeriodSeconds':0}") == 204);
    CHECK(api.count("true") == "3");
    api.sql("UPDATE endpoint_secret SET expires_at = now() WHERE expires_at IS NOT NULL");
    CHECK(api.rotate("{'gracePeriodSeconds':0}") == 204);
    CHECK(api.count("true") == "1");
}

TEST_CASE("at most ten old secrets sign along") {
    SecretApi api;
    for (int i = 0; i < 10; ++i) CHECK(api.rotate("{}") == 204);
    const auto current = api.key();
    CHECK(api.rotate("{}") == 409);
    CHECK(api.key() == current);
    CHECK(api.rotate("{'gracePeriodSeconds':0}") == 204);
    CHECK(api.count("expires_at IS NOT NULL") == "10");
}

TEST_CASE("a secret can be chosen, an ed25519 key too") {
    SecretApi api;
    for (const auto kind : {domain::SigningKey::Kind::hmac_sha256, domain::SigningKey::Kind::ed25519}) {
        const auto key = new_key(kind);
        CHECK(api.rotate("{'key':'" + key + "'}") == 204);
        CHECK(api.key() == key);
        CHECK(api.rotate("{'key':'" + key + "'}") == 422);
    }
    CHECK(api.rotate("{'key':null,'gracePeriodSeconds':null}") == 204);
    CHECK(api.key().starts_with("whsec_"));
    for (const std::string bad :
         {"{'key':'short'}", "{'key':5}", "{'gracePeriodSeconds':604801}", "{'gracePeriodSeconds':-1}",
          "{'key':'whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'}", ""}) {
        INFO(bad);
        CHECK(api.rotate(bad) == 422);
    }
}
