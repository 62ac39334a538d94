#include <fmt/format.h>

#include "base/encoding.hpp"
#include "domain/signature.hpp"
#include "support/catch.hpp"

using namespace posthorn;
using namespace posthorn::domain;
using namespace std::chrono_literals;
using test::contains;

namespace {
// What a receiver holds; a test changes what it is about.
struct Received {
    std::string key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    std::string id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    std::string timestamp = "1614265330";
    std::string signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    std::string body = R"({"test": 2432232314})";
    std::chrono::seconds elapsed{0};

    Verification verify() const {
        const SystemTime now = SystemTime(1614265330s) + elapsed;
        return verify_signature(key, id, timestamp, signature, body, now, 5min);
    }
    std::string reason() const {
        const Verification verification = verify();
        CHECK_FALSE(verification.valid);
        CHECK_FALSE(verification.reason.empty());
        return verification.reason;
    }
};

const std::string foreign_token = SigningKey::generate(SigningKey::Kind::hmac_sha256)
                                      .sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, "{}");
}  // namespace

TEST_CASE("a right v1 signature is valid, among others and within the tolerance too") {
    Received received;
    CHECK(received.verify().valid);
    CHECK(received.verify().reason.empty());
    received.elapsed = 300s;
    CHECK(received.verify().valid);
    received.elapsed = -300s;
    CHECK(received.verify().valid);
    received.signature = "v1a,AAAA " + foreign_token + " " + received.signature;
    CHECK(received.verify().valid);
}

TEST_CASE("a right v1a signature is valid with the private and with the public key") {
    const SigningKey pair = SigningKey::generate(SigningKey::Kind::ed25519);
    Received received;
    received.signature += " " + pair.sign(received.id, 1614265330, received.body);
    received.key = pair.text().reveal();
    CHECK(received.verify().valid);
    received.key = pair.public_text();
    CHECK(received.verify().valid);
    received.key = SigningKey::generate(SigningKey::Kind::ed25519).public_text();
    CHECK_THAT(received.reason(), contains("does not match"));
}

TEST_CASE("verification names a key that can not be used") {
    Received received;
    received.key = "whsec_short";
    CHECK_THAT(received.reason(), contains("the key can not be used"));
    received.key = "whpk_AAAA";
    CHECK_THAT(received.reason(), contains("32 bytes"));
    received.key = "";
    CHECK_THAT(received.reason(), contains("the key can not be used"));
}

TEST_CASE("verification names a header that is missing") {
    Received no_id, no_timestamp, no_signature;
    no_id.id.clear();
    CHECK_THAT(no_id.reason(), contains("webhook-id is missing"));
    no_timestamp.timestamp.clear();
    CHECK_THAT(no_timestamp.reason(), contains("webhook-timestamp is missing"));
    no_signature.signature.clear();
    CHECK_THAT(no_signature.reason(), contains("webhook-signature is missing"));
}

TEST_CASE("verification names a timestamp that is no number of seconds") {
    Received received;
    for (const char* text : {"yesterday", "1614265330.5", "-1614265330", "+1614265330", " 1614265330",
                             "01614265330", "2021-02-25T15:02:10Z", "99999999999999999999"}) {
        received.timestamp = text;
        CHECK_THAT(received.reason(), contains("not a whole number of seconds"));
    }
    received.timestamp = "1614265330000";
    CHECK_THAT(received.reason(), contains("milliseconds"));
}

TEST_CASE("verification says how far a timestamp is out of the tolerance") {
    Received received;
    received.elapsed = 301s;
    CHECK(received.reason() == "timestamp is 5 minutes old, more than the 5 minutes allowed");
    received.elapsed = 12min + 30s;
    CHECK_THAT(received.reason(), contains("timestamp is 12 minutes old"));
    received.elapsed = -12min;
    CHECK_THAT(received.reason(), contains("timestamp is 12 minutes in the future"));
    received.elapsed = 5h;
    CHECK_THAT(received.reason(), contains("timestamp is 5 hours old"));
    received.elapsed = 72h;
    CHECK_THAT(received.reason(), contains("timestamp is 3 days old"));
}

TEST_CASE("verification says both where the timestamp is old and the signature wrong") {
    Received received;
    received.elapsed = 12min;
    received.body = "{}";
    CHECK_THAT(received.reason(), contains("timestamp is 12 minutes old"));
    CHECK_THAT(received.reason(), contains("and the signature does not match"));
}

TEST_CASE("verification says which signatures are there where none has the key's version") {
    Received received;
    received.signature = "v1a,AAAA v2,BBBB";
    CHECK_THAT(received.reason(), contains("no v1 signature"));
    CHECK_THAT(received.reason(), contains("only v1a, v2"));
    CHECK_THAT(received.reason(), contains("whpk_"));
    received.signature = "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    CHECK_THAT(received.reason(), contains("no v1 signature"));
    Received asymmetric;
    asymmetric.key = SigningKey::generate(SigningKey::Kind::ed25519).public_text();
    CHECK_THAT(asymmetric.reason(), contains("no v1a signature"));
    CHECK_THAT(asymmetric.reason(), contains("whsec_"));
}

TEST_CASE("verification recognises a newline that was added to or taken from the body") {
    Received added;
    for (const char* newline : {"\n", "\r\n"}) {
        added.body = R"({"test": 2432232314})" + std::string(newline);
        CHECK_THAT(added.reason(), contains("has a newline at its end that was not signed"));
    }
    Received removed;
    removed.body = "{}";
    for (const char* newline : {"\n", "\r\n"}) {
        const auto key = std::get<SigningKey>(SigningKey::parse(removed.key));
        removed.signature = key.sign(removed.id, 1614265330, "{}" + std::string(newline));
        CHECK_THAT(removed.reason(), contains("lacks a newline at its end that was signed"));
    }
}

TEST_CASE("verification tells one mismatch from several and from a damaged token") {
    Received received;
    received.body = R"({"test":2432232314})";
    CHECK_THAT(received.reason(), contains("the signature does not match: the body"));
    received.signature += " " + foreign_token;
    CHECK_THAT(received.reason(), contains("none of the 2 v1 signatures matches"));
    received.signature = "v1,g0hM9SsE+OTPJTGt";
    CHECK_THAT(received.reason(), contains("cut short"));
}

TEST_CASE("a changed id or timestamp does not match either") {
    Received other_id, other_timestamp;
    other_id.id = "msg_other";
    CHECK_THAT(other_id.reason(), contains("does not match"));
    other_timestamp.timestamp = "1614265331";
    CHECK_THAT(other_timestamp.reason(), contains("does not match"));
}
