#include "domain/access_token.hpp"

#include "base/crypto.hpp"
#include "base/encoding.hpp"
#include "support/catch.hpp"

using namespace posthorn;
using namespace posthorn::domain;
using namespace std::chrono_literals;

namespace {
const SystemTime now{1'764'000'000s};
const Secret secret(std::string(32, 'x'));
const std::string header = R"({"alg":"HS256","typ":"JWT"})";

std::string sign(std::string_view header_json, std::string_view claims_json, const Secret& key = secret) {
    auto token = base64url_encode(header_json) + "." + base64url_encode(claims_json);
    return token + "." + base64url_encode(hmac_sha256(key.reveal(), token));
}

std::string error_of(std::string_view token, const Secret& key = secret, SystemTime at = now) {
    const auto result = verify_access_token(key, token, at);
    const auto* error = std::get_if<TokenError>(&result);
    return error ? error->reason : "";
}

AccessToken access_of(std::string_view token, SystemTime at = now) {
    INFO(error_of(token, secret, at));
    const auto result = verify_access_token(secret, token, at);
    REQUIRE(std::holds_alternative<AccessToken>(result));
    return std::get<AccessToken>(result);
}
}  // namespace

TEST_CASE("a token that was made is valid for its organization") {
    const auto organization = OrganizationId::make(now);
    const auto access = access_of(make_access_token(secret, organization, std::nullopt, now, 1h));
    CHECK(access.organization == organization);
    CHECK_FALSE(access.application);
}

TEST_CASE("an application's token names the application and its organization") {
    const auto organization = OrganizationId::make(now);
    const auto application = ApplicationId::make(now);
    const auto access = access_of(make_access_token(secret, organization, application, now, 1h));
    CHECK(access.organization == organization);
    CHECK(access.application == application);
    CHECK(error_of(sign(header, R"({"sub":")" + application.str() + R"("})")) ==
          "an application's token must name its organization in org");
}

TEST_CASE("a token of the compatible server's own command reaches the default organization") {
    const auto access = access_of(
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJpc3MiOiAic3ZpeC1zZXJ2ZXIiLCAic3ViIjogIm9yZ18yM3JiOFlkR3FNVDBxSXpwZ0d3ZFhmSGlyTXUiLCAiaWF0IjogMTcw"
        "MDAwMDAwMCwgIm5i"
        "ZiI6IDE3MDAwMDAwMDAsICJleHAiOiAyMDE1MzYwMDAwfQ."
        "52Cq3C8Z2l2krt2zWm9kABuZqeu_vfBuV7qdHXwzgTM");
    CHECK(access.organization == default_organization());
    CHECK(to_string(access.organization.value) == "c5d153fd-acc6-880a-85f0-17ca840e0895");
}

TEST_CASE("organizations may be written in other forms, each standing for one of ours") {
    const auto organization = OrganizationId::make(now);
    CHECK(parse_organization(organization.str()) == organization);
    CHECK(parse_organization("org_a") != parse_organization("org_b"));
    CHECK(parse_organization("org_a") == parse_organization("org_a"));
    CHECK(parse_organization("org_" + std::string(64, 'a')));
    for (const std::string bad : {"", "org_", "org", "app_a", "org_a.b", "org_a b", "ORG_a"})
        CHECK_FALSE(parse_organization(bad));
    CHECK_FALSE(parse_organization("org_" + std::string(65, 'a')));
}

TEST_CASE("a token's algorithm must be HS256, whatever else is right") {
    const std::string claims = R"({"sub":"org_a"})";
    CHECK(error_of(sign(header, claims)).empty());
    for (const std::string bad :
         {R"({"alg":"none"})", R"({"alg":"RS256"})", R"({"alg":"hs256"})", R"({"alg":"HS512"})",
          R"({"typ":"JWT"})", R"({"alg":["HS256"]})", R"({"alg":null})", R"("HS256")", R"()"}) {
        INFO(bad);
        CHECK(error_of(sign(bad, claims)) == "the token's alg must be HS256");
    }
    CHECK_FALSE(error_of(sign(R"({"alg":"HS256","crit":["x"]})", claims)).empty());
    CHECK_FALSE(
        error_of(base64url_encode(R"({"alg":"none"})") + "." + base64url_encode(claims) + ".").empty());
}

TEST_CASE("a token that was altered, or signed with another key, is refused") {
    const auto token = sign(header, R"({"sub":"org_a"})");
    const std::string wrong = "the token's signature is wrong";
    CHECK(error_of(token, Secret(std::string(32, 'y'))) == wrong);
    CHECK(error_of(token, Secret()) == wrong);
    CHECK(error_of(sign(header, R"({"sub":"org_a"})", Secret()), Secret()) == wrong);
    const auto other = sign(header, R"({"sub":"org_b"})");
    const auto spliced = other.substr(0, other.rfind('.')) + token.substr(token.rfind('.'));
    CHECK(error_of(spliced) == wrong);
    CHECK_FALSE(error_of(token.substr(0, token.size() - 1)).empty());
    CHECK_FALSE(error_of(token + "=").empty());
    CHECK_FALSE(error_of(token + ".").empty());
    CHECK_FALSE(error_of(" " + token).empty());
    for (const std::string bad : {"", ".", "..", "a.b", "a.b.c.d", "...."})
        CHECK_FALSE(error_of(bad).empty());
}

TEST_CASE("a token's size and depth are bounded") {
    CHECK(error_of(sign(header, R"({"sub":"org_a","pad":")" + std::string(2900, 'a') + R"("})")).empty());
    CHECK(error_of(sign(header, R"({"sub":"org_a","pad":")" + std::string(4000, 'a') + R"("})")) ==
          "the token is too long");
    const auto deep = R"({"sub":"org_a","x":)" + std::string(20, '[') + std::string(20, ']') + "}";
    CHECK_FALSE(error_of(sign(header, deep)).empty());
}

TEST_CASE("a token's times are honoured, with a minute's leeway") {
    const auto at = [](const std::string& claim, long long offset_s) {
        const auto seconds =
            std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count() + offset_s;
        return error_of(sign(header, R"({"sub":"org_a",")" + claim + "\":" + std::to_string(seconds) + "}"));
    };
    CHECK(at("exp", 1).empty());
    CHECK(at("exp", -59).empty());
    CHECK(at("exp", -60) == "the token has expired");
    CHECK(at("nbf", 60).empty());
    CHECK_FALSE(at("nbf", 61).empty());
    CHECK(at("iat", 60).empty());
    CHECK_FALSE(at("iat", 61).empty());
    CHECK_FALSE(error_of(sign(header, R"({"sub":"org_a","exp":"9999999999"})")).empty());
    CHECK(error_of(sign(header, R"({"sub":"org_a","exp":9999999999.5})")).empty());
    CHECK_FALSE(error_of(sign(header, R"({"sub":"org_a","exp":-1e300})")).empty());
}

TEST_CASE("a token without a usable subject is refused") {
    for (const std::string bad : {R"({})", R"({"sub":null})", R"({"sub":5})", R"({"sub":"user_1"})",
                                  R"({"sub":"app_x","org":"org_a"})", R"(["org_a"])", R"(null)"}) {
        INFO(bad);
        CHECK_FALSE(error_of(sign(header, bad)).empty());
    }
}
