#include "domain/signature.hpp"

#include <fmt/format.h>
#include <optional>
#include <utility>

#include "base/encoding.hpp"
#include "base/random.hpp"

namespace posthorn::domain {

namespace {
constexpr std::string_view symmetric_prefix = "whsec_";
constexpr std::string_view private_prefix = "whsk_";
constexpr std::string_view public_prefix = "whpk_";
constexpr std::size_t fewest_symmetric_bytes = 24;
constexpr std::size_t most_symmetric_bytes = 75;
constexpr std::size_t generated_symmetric_bytes = 24;
constexpr std::size_t seed_bytes = 32;
constexpr std::size_t pair_bytes = 64;

std::optional<Secret> decode_secret(std::string_view text) {
    std::optional<std::string> bytes = base64_decode(text);
    if (!bytes) return std::nullopt;
    return Secret(*std::move(bytes));
}
}  // namespace

std::variant<SigningKey, SigningKey::Error> SigningKey::parse(std::string_view text) {
    if (text.starts_with(public_prefix)) return Error{"a whpk_ key is public and can not sign"};
    const bool is_pair = text.starts_with(private_prefix);
    if (is_pair) {
        text.remove_prefix(private_prefix.size());
    } else if (text.starts_with(symmetric_prefix)) {
        text.remove_prefix(symmetric_prefix.size());
    }
    std::optional<Secret> bytes = decode_secret(text);
    if (!bytes) return Error{"what follows the prefix must be base64 with its padding"};
    const std::string_view revealed = bytes->reveal();

    SigningKey key;
    if (!is_pair) {
        if (revealed.size() < fewest_symmetric_bytes || revealed.size() > most_symmetric_bytes)
            return Error{fmt::format("must be base64 of {} to {} bytes", fewest_symmetric_bytes,
                                     most_symmetric_bytes)};
        key.bytes_ = *std::move(bytes);
        return key;
    }
    if (revealed.size() != pair_bytes) return Error{fmt::format("must be base64 of {} bytes", pair_bytes)};
    key.kind_ = Kind::ed25519;
    key.bytes_ = Secret(std::string(revealed.substr(0, seed_bytes)));
    key.public_key_ = ed25519_public_key(key.bytes_.reveal());
    if (key.public_key_ != revealed.substr(seed_bytes))
        return Error{"the public half does not belong to the private half"};
    return key;
}

SigningKey SigningKey::generate(Kind kind) {
    SigningKey key;
    key.kind_ = kind;
    if (kind == Kind::hmac_sha256) {
        key.bytes_ = Secret(random_bytes(generated_symmetric_bytes));
    } else {
        Ed25519Pair pair = ed25519_generate();
        key.bytes_ = std::move(pair.seed);
        key.public_key_ = std::move(pair.public_key);
    }
    return key;
}

Secret SigningKey::text() const {
    const Secret bytes(bytes_.reveal() + public_key_);
    const Secret encoded(base64_encode(bytes.reveal()));
    const std::string_view prefix = kind_ == Kind::ed25519 ? private_prefix : symmetric_prefix;
    return Secret(fmt::format("{}{}", prefix, encoded.reveal()));
}

std::string SigningKey::public_text() const {
    if (kind_ != Kind::ed25519) return {};
    return std::string(public_prefix) + base64_encode(public_key_);
}

std::string SigningKey::sign(std::string_view id, std::int64_t timestamp_s, std::string_view body) const {
    const std::string content = fmt::format("{}.{}.{}", id, timestamp_s, body);
    if (kind_ == Kind::ed25519) return "v1a," + base64_encode(ed25519_sign(bytes_.reveal(), content));
    return "v1," + base64_encode(hmac_sha256(bytes_.reveal(), content));
}

std::string signature_header(std::span<const SigningKey* const> keys, std::string_view id,
                             std::int64_t timestamp_s, std::string_view body) {
    std::string header;
    for (const SigningKey* key : keys) {
        if (!header.empty()) header += ' ';
        header += key->sign(id, timestamp_s, body);
    }
    return header;
}

}  // namespace posthorn::domain
