#include "domain/signature.hpp"

#include <memory>
#include <openssl/evp.h>

#include "base/encoding.hpp"
#include "support/catch.hpp"

using namespace posthorn;
using namespace posthorn::domain;
using test::contains;

namespace {
constexpr std::string_view vector_secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr std::string_view vector_id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
constexpr std::int64_t vector_timestamp = 1614265330;
constexpr std::string_view vector_body = R"({"test": 2432232314})";
constexpr std::string_view vector_signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

SigningKey key_of(std::string_view text) {
    auto parsed = SigningKey::parse(text);
    REQUIRE(std::holds_alternative<SigningKey>(parsed));
    return std::get<SigningKey>(std::move(parsed));
}

std::string rule_of(std::string_view text) {
    const auto parsed = SigningKey::parse(text);
    const auto* error = std::get_if<SigningKey::Error>(&parsed);
    return error ? error->rule : "";
}

std::string symmetric_text(std::size_t bytes) { return "whsec_" + base64_encode(std::string(bytes, 'k')); }

// Straight to OpenSSL, past our own functions.
bool openssl_verifies(const std::string& public_key, const std::string& text, const std::string& signature) {
    const auto bytes = [](const std::string& s) { return reinterpret_cast<const unsigned char*>(s.data()); };
    const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes(public_key), public_key.size()),
        EVP_PKEY_free);
    const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    return EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
           EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(text), text.size()) == 1;
}
}  // namespace

TEST_CASE("a v1 signature is the one of the Standard Webhooks vector, with and without the secret's prefix") {
    CHECK(key_of(vector_secret).sign(vector_id, vector_timestamp, vector_body) == vector_signature);
    CHECK(key_of(vector_secret.substr(6)).sign(vector_id, vector_timestamp, vector_body) == vector_signature);
}

TEST_CASE("a v1a signature is verified by OpenSSL over id, timestamp and body") {
    const SigningKey key = SigningKey::generate(SigningKey::Kind::ed25519);
    const std::string token = key.sign(vector_id, vector_timestamp, vector_body);
    REQUIRE(token.starts_with("v1a,"));
    REQUIRE(key.public_text().starts_with("whpk_"));
    const std::string public_key = base64_decode(key.public_text().substr(5)).value();
    const std::string signature = base64_decode(token.substr(4)).value();
    const std::string content = R"(msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314})";
    CHECK(openssl_verifies(public_key, content, signature));
    CHECK_FALSE(openssl_verifies(public_key, content + " ", signature));
}

TEST_CASE("a key's text gives the same key back") {
    const auto kind = GENERATE(SigningKey::Kind::hmac_sha256, SigningKey::Kind::ed25519);
    const SigningKey key = SigningKey::generate(kind);
    const SigningKey again = key_of(key.text().reveal());
    CHECK(again.kind() == kind);
    CHECK(again.text().reveal() == key.text().reveal());
    CHECK(again.public_text() == key.public_text());
    CHECK(again.sign("msg_1", 1, "{}") == key.sign("msg_1", 1, "{}"));
    CHECK(SigningKey::generate(kind).text().reveal() != key.text().reveal());
}

TEST_CASE("a generated secret has 24 bytes and no public text") {
    const SigningKey key = SigningKey::generate(SigningKey::Kind::hmac_sha256);
    CHECK(key.text().reveal().starts_with("whsec_"));
    CHECK(base64_decode(key.text().reveal().substr(6)).value().size() == 24);
    CHECK(key.public_text().empty());
}

TEST_CASE("a symmetric secret has 24 to 75 bytes") {
    CHECK(rule_of(symmetric_text(24)).empty());
    CHECK(rule_of(symmetric_text(75)).empty());
    CHECK_THAT(rule_of(symmetric_text(23)), contains("24 to 75 bytes"));
    CHECK_THAT(rule_of(symmetric_text(76)), contains("24 to 75 bytes"));
    CHECK_THAT(rule_of(""), contains("24 to 75 bytes"));
    CHECK_THAT(rule_of("whsec_"), contains("24 to 75 bytes"));
}

TEST_CASE("a secret must be strict base64") {
    CHECK_THAT(rule_of("whsec_not base64 at all, sorry!"), contains("base64"));
    CHECK_THAT(rule_of(std::string(vector_secret) + "\n"), contains("base64"));
    CHECK_THAT(rule_of(std::string(vector_secret) + "QQ"), contains("padding"));
}

TEST_CASE("a private key has 64 bytes whose halves belong together") {
    const std::string text = SigningKey::generate(SigningKey::Kind::ed25519).text().reveal();
    std::string bytes = base64_decode(text.substr(5)).value();
    REQUIRE(bytes.size() == 64);
    CHECK_THAT(rule_of("whsk_" + base64_encode(bytes.substr(0, 32))), contains("64 bytes"));
    CHECK_THAT(rule_of("whsk_" + base64_encode(bytes + "x")), contains("64 bytes"));
    bytes[63] = static_cast<char>(bytes[63] ^ 1);
    CHECK_THAT(rule_of("whsk_" + base64_encode(bytes)), contains("does not belong"));
    CHECK_THAT(rule_of(SigningKey::generate(SigningKey::Kind::ed25519).public_text()), contains("public"));
}

TEST_CASE("the signature header holds every key's token, the current first, separated by exactly one space") {
    const std::vector<SigningKey> keys{key_of(vector_secret), SigningKey::generate(SigningKey::Kind::ed25519),
                                       SigningKey::generate(SigningKey::Kind::hmac_sha256)};
    const std::vector<const SigningKey*> in_order{&keys[0], &keys[1], &keys[2]};
    const std::string header = signature_header(in_order, vector_id, vector_timestamp, vector_body);
    CHECK(header == keys[0].sign(vector_id, vector_timestamp, vector_body) + " " +
                        keys[1].sign(vector_id, vector_timestamp, vector_body) + " " +
                        keys[2].sign(vector_id, vector_timestamp, vector_body));
    CHECK(header.starts_with(std::string(vector_signature) + " v1a,"));
    CHECK(signature_header({}, vector_id, vector_timestamp, vector_body).empty());
}

TEST_CASE("the body is signed byte for byte") {
    const SigningKey key = key_of(vector_secret);
    const std::string with_nul("a\0b", 3);
    CHECK(key.sign("msg_1", 1, with_nul) != key.sign("msg_1", 1, "a"));
    CHECK(key.sign("msg_1", 1, "{}") != key.sign("msg_1", 1, "{}\n"));
}
