#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "base/crypto.hpp"
#include "base/secret.hpp"

namespace posthorn::domain {

// A signing key as Standard Webhooks 1.0.0 writes it.
class SigningKey {
public:
    enum class Kind { hmac_sha256, ed25519 };

    // "whsec_" + base64 of 24 to 75 bytes (the prefix may be missing), or "whsk_" + base64 of 64 bytes
    // (private then public half, which must belong together). The error names the rule.
    struct Error {
        std::string rule;
    };
    static std::variant<SigningKey, Error> parse(std::string_view text);
    static SigningKey generate(Kind kind);  // 24 random bytes, or a new pair

    Kind kind() const { return kind_; }
    Secret text() const;              // whsec_... or whsk_...: what is stored (sealed)
    std::string public_text() const;  // whpk_... for ed25519: what consumers are shown; empty for HMAC

    // "v1,..." or "v1a,..." over "{id}.{seconds}.{body}".
    std::string sign(std::string_view id, std::int64_t timestamp_s, std::string_view body) const;

private:
    Kind kind_ = Kind::hmac_sha256;
    Secret bytes_;  // the HMAC key, or the ed25519 seed
    std::string public_key_;
};

// The webhook-signature header: every key's token, the current key first, separated by exactly one space.
std::string signature_header(std::span<const SigningKey* const> keys, std::string_view id,
                             std::int64_t timestamp_s, std::string_view body);

// Checks a received request, for `posthorn listen` and `verify`: says why it does not match.
struct Verification {
    bool valid = false;
    std::string reason;  // empty if valid; else e.g. "timestamp is 12 minutes old", "no v1 signature", "the
                         // body differs from what was signed"
};
// key_text: whsec_..., whsk_... or whpk_....
Verification verify_signature(std::string_view key_text, std::string_view id, std::string_view timestamp,
                              std::string_view signature, std::string_view body, SystemTime now,
                              std::chrono::seconds tolerance);

}  // namespace posthorn::domain
