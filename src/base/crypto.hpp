#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/secret.hpp"

namespace posthorn {

// Thin and checked: OpenSSL does the work. Functions throw std::runtime_error only if OpenSSL itself fails.
std::string sha256(std::string_view bytes);                             // 32 bytes
std::string hmac_sha256(std::string_view key, std::string_view bytes);  // 32 bytes
bool equal_in_constant_time(std::string_view a, std::string_view b);

// ed25519 (RFC 8032). A private key is its 32-byte seed.
struct Ed25519Pair {
    Secret seed;             // 32 bytes
    std::string public_key;  // 32 bytes
};
Ed25519Pair ed25519_generate();
std::string ed25519_public_key(std::string_view seed);
std::string ed25519_sign(std::string_view seed, std::string_view bytes);  // 64 bytes
bool ed25519_verify(std::string_view public_key, std::string_view bytes, std::string_view signature);

// AES-256-GCM. The result is nonce (12 bytes), ciphertext and tag (16 bytes), one after another.
// key: 32 bytes. open gives nothing where key, associated data or a byte is not what it was.
std::string aes256_gcm_seal(const Secret& key, std::string_view plain, std::string_view associated_data);
std::optional<Secret> aes256_gcm_open(const Secret& key, std::string_view sealed,
                                      std::string_view associated_data);

}  // namespace posthorn
