#include "base/crypto.hpp"

#include <array>
#include <cstdint>
#include <fmt/format.h>
#include <limits>
#include <memory>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdexcept>

#include "base/random.hpp"

namespace posthorn {

namespace {
constexpr std::size_t sha256_bytes = 32;
constexpr std::size_t ed25519_key_bytes = 32;
constexpr std::size_t ed25519_signature_bytes = 64;
constexpr std::size_t aes256_key_bytes = 32;
constexpr std::size_t gcm_nonce_bytes = 12;
constexpr std::size_t gcm_tag_bytes = 16;

struct Freed {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
    void operator()(EVP_MAC* algorithm) const { EVP_MAC_free(algorithm); }
    void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};
using Key = std::unique_ptr<EVP_PKEY, Freed>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freed>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, Freed>;
using Mac = std::unique_ptr<EVP_MAC, Freed>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, Freed>;

const unsigned char* octets(std::string_view bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* octets(std::string& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

[[noreturn]] void fail(std::string_view what) {
    std::array<char, 256> reason{};
    ERR_error_string_n(ERR_get_error(), reason.data(), reason.size());
    ERR_clear_error();
    throw std::runtime_error(fmt::format("{} failed: {}", what, reason.data()));
}

void require(bool succeeded, std::string_view what) {
    if (!succeeded) fail(what);
}

// OpenSSL counts in int where the lengths come from us.
int checked_length(std::string_view bytes) {
    if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()))
        throw std::runtime_error("too many bytes for one call of OpenSSL");
    return static_cast<int>(bytes.size());
}

Key private_key(std::string_view seed) {
    Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, octets(seed), seed.size()));
    require(key != nullptr, "reading an ed25519 seed");
    return key;
}

void require_aes_key(const Secret& key) {
    if (key.reveal().size() != aes256_key_bytes) throw std::runtime_error("an AES-256 key has 32 bytes");
}
// Algorithms are looked up once: OpenSSL would do it anew at every call, which costs more than 500 bytes of
// SHA-256.
const EVP_MD* sha256_algorithm() {
    static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    require(algorithm != nullptr, "looking up SHA-256");
    return algorithm;
}

// One a thread, used again for every key.
EVP_MAC_CTX* hmac_sha256_context() {
    thread_local const MacContext context = [] {
        const Mac algorithm(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
        MacContext made(algorithm ? EVP_MAC_CTX_new(algorithm.get()) : nullptr);
        char digest[] = "SHA256";
        const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                         OSSL_PARAM_construct_end()};
        require(made != nullptr && EVP_MAC_CTX_set_params(made.get(), parameters) == 1, "looking up HMAC");
        return made;
    }();
    return context.get();
}
}  // namespace

std::string sha256(std::string_view bytes) {
    std::string digest(sha256_bytes, '\0');
    require(EVP_Digest(bytes.data(), bytes.size(), octets(digest), nullptr, sha256_algorithm(), nullptr) == 1,
            "SHA-256");
    return digest;
}

std::string hmac_sha256(std::string_view key, std::string_view bytes) {
    std::string mac(sha256_bytes, '\0');
    // Without a key's address OpenSSL would take the key of a call before.
    const std::string_view given = key.empty() ? std::string_view("") : key;
    EVP_MAC_CTX* context = hmac_sha256_context();
    std::size_t length = 0;
    require(EVP_MAC_init(context, octets(given), given.size(), nullptr) == 1 &&
                EVP_MAC_update(context, octets(bytes), bytes.size()) == 1 &&
                EVP_MAC_final(context, octets(mac), &length, mac.size()) == 1 && length == mac.size(),
            "HMAC-SHA256");
    return mac;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

Ed25519Pair ed25519_generate() {
    Secret seed(random_bytes(ed25519_key_bytes));
    std::string public_key = ed25519_public_key(seed.reveal());
    return {std::move(seed), std::move(public_key)};
}

std::string ed25519_public_key(std::string_view seed) {
    const Key key = private_key(seed);
    std::string bytes(ed25519_key_bytes, '\0');
    std::size_t length = bytes.size();
    require(EVP_PKEY_get_raw_public_key(key.get(), octets(bytes), &length) == 1 && length == bytes.size(),
            "deriving an ed25519 public key");
    return bytes;
}

std::string ed25519_sign(std::string_view seed, std::string_view bytes) {
    const Key key = private_key(seed);
    const DigestContext context(EVP_MD_CTX_new());
    std::string signature(ed25519_signature_bytes, '\0');
    std::size_t length = signature.size();
    require(context != nullptr &&
                EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
                EVP_DigestSign(context.get(), octets(signature), &length, octets(bytes), bytes.size()) == 1 &&
                length == signature.size(),
            "signing with ed25519");
    return signature;
}

bool ed25519_verify(std::string_view public_key, std::string_view bytes, std::string_view signature) {
    if (public_key.size() != ed25519_key_bytes || signature.size() != ed25519_signature_bytes) return false;
    const Key key(
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, octets(public_key), public_key.size()));
    const DigestContext context(EVP_MD_CTX_new());
    require(key != nullptr && context != nullptr &&
                EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1,
            "preparing to verify with ed25519");
    const bool verified = EVP_DigestVerify(context.get(), octets(signature), signature.size(), octets(bytes),
                                           bytes.size()) == 1;
    // What is left in the thread's error queue would be taken for a failure of the next TLS call.
    if (!verified) ERR_clear_error();
    return verified;
}

std::string aes256_gcm_seal(const Secret& key, std::string_view plain, std::string_view associated_data) {
    require_aes_key(key);
    const int plain_length = checked_length(plain);
    const int data_length = checked_length(associated_data);
    std::string sealed = random_bytes(gcm_nonce_bytes);
    sealed.resize(gcm_nonce_bytes + plain.size() + gcm_tag_bytes);
    unsigned char* const cipher = octets(sealed) + gcm_nonce_bytes;
    unsigned char* const tag = cipher + plain.size();

    const CipherContext context(EVP_CIPHER_CTX_new());
    int written = 0;
    require(
        context != nullptr &&
            EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, octets(key.reveal()),
                               octets(sealed)) == 1 &&
            EVP_EncryptUpdate(context.get(), nullptr, &written, octets(associated_data), data_length) == 1 &&
            EVP_EncryptUpdate(context.get(), cipher, &written, octets(plain), plain_length) == 1 &&
            EVP_EncryptFinal_ex(context.get(), tag, &written) == 1 &&
            EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, static_cast<int>(gcm_tag_bytes), tag) ==
                1,
        "sealing with AES-256-GCM");
    return sealed;
}

std::optional<Secret> aes256_gcm_open(const Secret& key, std::string_view sealed,
                                      std::string_view associated_data) {
    require_aes_key(key);
    if (sealed.size() < gcm_nonce_bytes + gcm_tag_bytes) return std::nullopt;
    const std::string_view nonce = sealed.substr(0, gcm_nonce_bytes);
    const std::string_view cipher =
        sealed.substr(gcm_nonce_bytes, sealed.size() - gcm_nonce_bytes - gcm_tag_bytes);
    std::string tag(sealed.substr(sealed.size() - gcm_tag_bytes));
    const int cipher_length = checked_length(cipher);
    const int data_length = checked_length(associated_data);

    std::string plain(cipher.size(), '\0');
    const CipherContext context(EVP_CIPHER_CTX_new());
    int written = 0;
    require(
        context != nullptr &&
            EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, octets(key.reveal()),
                               octets(nonce)) == 1 &&
            EVP_DecryptUpdate(context.get(), nullptr, &written, octets(associated_data), data_length) == 1 &&
            EVP_DecryptUpdate(context.get(), octets(plain), &written, octets(cipher), cipher_length) == 1 &&
            EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, static_cast<int>(gcm_tag_bytes),
                                octets(tag)) == 1,
        "opening with AES-256-GCM");
    unsigned char* const end = octets(plain) + plain.size();
    if (EVP_DecryptFinal_ex(context.get(), end, &written) != 1) {
        OPENSSL_cleanse(plain.data(), plain.size());
        ERR_clear_error();
        return std::nullopt;
    }
    return Secret(std::move(plain));
}

}  // namespace posthorn
