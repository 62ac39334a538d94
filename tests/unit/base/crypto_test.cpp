#include "base/crypto.hpp"

#include <openssl/err.h>
#include <stdexcept>

#include "base/encoding.hpp"
#include "support/catch.hpp"

using namespace posthorn;

namespace {
std::string from_hex(std::string_view text) { return hex_decode(text).value(); }
const Secret zero_key(std::string(32, '\0'));
}  // namespace

TEST_CASE("SHA-256 gives FIPS 180-4's digests") {
    CHECK(hex_encode(sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(hex_encode(sha256({})) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_CASE("HMAC-SHA256 gives RFC 4231's codes") {
    CHECK(hex_encode(hmac_sha256("Jefe", "what do ya want for nothing?")) ==
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    CHECK(hex_encode(hmac_sha256(std::string(131, '\xaa'),
                                 "Test Using Larger Than Block-Size Key - Hash Key First")) ==
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    // Neither takes a key or text of the call before.
    CHECK(hex_encode(hmac_sha256({}, {})) ==
          "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST_CASE("strings are compared in constant time by length and bytes") {
    CHECK(equal_in_constant_time("", {}));
    CHECK(equal_in_constant_time("same", "same"));
    CHECK_FALSE(equal_in_constant_time("same", "sama"));
    CHECK_FALSE(equal_in_constant_time("same", "same "));
}

TEST_CASE("ed25519 gives RFC 8032's keys and signatures") {
    const std::string seed = from_hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    const std::string public_key =
        from_hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    CHECK(ed25519_public_key(seed) == public_key);
    const std::string signature = ed25519_sign(seed, {});
    CHECK(hex_encode(signature) ==
          "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
          "d25bf5f0595bbe24655141438e7a100b");
    CHECK(ed25519_verify(public_key, {}, signature));
}

TEST_CASE("ed25519 verifies only the same key, text and signature, and leaves no error behind") {
    const Ed25519Pair pair = ed25519_generate();
    const std::string signature = ed25519_sign(pair.seed.reveal(), "text");
    CHECK(ed25519_verify(pair.public_key, "text", signature));
    CHECK_FALSE(ed25519_verify(pair.public_key, "Text", signature));
    CHECK_FALSE(ed25519_verify(ed25519_generate().public_key, "text", signature));
    CHECK_FALSE(ed25519_verify(pair.public_key, "text", signature.substr(1)));
    CHECK_FALSE(ed25519_verify(pair.public_key.substr(1), "text", signature));
    CHECK_FALSE(ed25519_verify(pair.public_key, "text", std::string(64, '\xff')));
    CHECK(ERR_peek_error() == 0);
    CHECK_THROWS_AS(ed25519_public_key("short"), std::runtime_error);
    CHECK(ERR_peek_error() == 0);
}

TEST_CASE("AES-256-GCM opens the published test vector") {
    const std::string nonce(12, '\0');
    const auto empty = aes256_gcm_open(zero_key, nonce + from_hex("530f8afbc74536b9a963b4f1c4cb738b"), {});
    REQUIRE(empty.has_value());
    CHECK(empty->empty());
    const auto block = aes256_gcm_open(
        zero_key, nonce + from_hex("cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"), {});
    REQUIRE(block.has_value());
    CHECK(block->reveal() == std::string(16, '\0'));
}

TEST_CASE("what AES-256-GCM sealed opens with the same key and associated data alone") {
    const std::string sealed = aes256_gcm_seal(zero_key, "secret", "endpoint 1");
    CHECK(sealed.size() == 12 + 6 + 16);
    const auto opened = aes256_gcm_open(zero_key, sealed, "endpoint 1");
    REQUIRE(opened.has_value());
    CHECK(opened->reveal() == "secret");
    CHECK_FALSE(aes256_gcm_open(zero_key, sealed, "endpoint 2").has_value());
    CHECK_FALSE(aes256_gcm_open(zero_key, sealed, {}).has_value());
    CHECK_FALSE(aes256_gcm_open(Secret(std::string(32, 'k')), sealed, "endpoint 1").has_value());
}

TEST_CASE("AES-256-GCM notices every changed byte and every cut, and leaves no error behind") {
    const std::string sealed = aes256_gcm_seal(zero_key, "secret", "data");
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        std::string changed = sealed;
        changed[i] = static_cast<char>(changed[i] ^ 1);
        CHECK_FALSE(aes256_gcm_open(zero_key, changed, "data").has_value());
        CHECK_FALSE(aes256_gcm_open(zero_key, sealed.substr(0, i), "data").has_value());
    }
    CHECK(ERR_peek_error() == 0);
}

TEST_CASE("AES-256-GCM never uses a nonce twice") {
    CHECK(aes256_gcm_seal(zero_key, "secret", {}) != aes256_gcm_seal(zero_key, "secret", {}));
}

TEST_CASE("AES-256-GCM refuses a key of another length") {
    CHECK_THROWS_AS(aes256_gcm_seal(Secret("short"), "plain", {}), std::runtime_error);
    CHECK_THROWS_AS(aes256_gcm_open(Secret(std::string(16, 'k')), std::string(40, 'x'), {}),
                    std::runtime_error);
}
