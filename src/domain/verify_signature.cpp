#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <optional>
#include <utility>

#include "base/encoding.hpp"
#include "domain/signature.hpp"

namespace posthorn::domain {

namespace {
using std::chrono::seconds;

constexpr std::string_view public_prefix = "whpk_";
constexpr std::size_t public_key_bytes = 32;
constexpr std::size_t mac_bytes = 32;
constexpr std::size_t ed25519_signature_bytes = 64;
constexpr std::size_t digits_of_milliseconds = 13;  // of a time between 2001 and 2286

// What verifies: HMAC needs the key itself, ed25519 its public half alone.
class VerifyingKey {
public:
    static std::variant<VerifyingKey, SigningKey::Error> parse(std::string_view text) {
        if (text.starts_with(public_prefix)) return parse_public(text.substr(public_prefix.size()));
        auto parsed = SigningKey::parse(text);
        if (auto* error = std::get_if<SigningKey::Error>(&parsed)) return std::move(*error);
        auto& key = std::get<SigningKey>(parsed);
        if (key.kind() == SigningKey::Kind::ed25519)
            return parse_public(std::string_view(key.public_text()).substr(public_prefix.size()));
        return VerifyingKey(std::move(key));
    }

    std::string_view version() const { return symmetric_ ? "v1" : "v1a"; }
    std::size_t signature_bytes() const { return symmetric_ ? mac_bytes : ed25519_signature_bytes; }

    // signature: the token's bytes, decoded.
    bool matches(std::string_view signature, std::string_view id, std::int64_t timestamp_s,
                 std::string_view body) const {
        if (!symmetric_)
            return ed25519_verify(public_key_, fmt::format("{}.{}.{}", id, timestamp_s, body), signature);
        return equal_in_constant_time(symmetric_->sign(id, timestamp_s, body),
                                      fmt::format("v1,{}", base64_encode(signature)));
    }

private:
    explicit VerifyingKey(SigningKey symmetric) : symmetric_(std::move(symmetric)) {}
    explicit VerifyingKey(std::string public_key) : public_key_(std::move(public_key)) {}

    static std::variant<VerifyingKey, SigningKey::Error> parse_public(std::string_view text) {
        auto bytes = base64_decode(text);
        if (!bytes || bytes->size() != public_key_bytes)
            return SigningKey::Error{
                fmt::format("whpk_ must be followed by base64 of {} bytes", public_key_bytes)};
        return VerifyingKey(*std::move(bytes));
    }

    std::optional<SigningKey> symmetric_;
    std::string public_key_;
};

Verification invalid(std::string reason) { return {false, std::move(reason)}; }

struct Signed {
    std::string_view id;
    std::int64_t timestamp_s;
    std::string_view body;
};

// The tokens of the key's version, and the versions of the others.
struct Tokens {
    std::vector<std::string_view> of_version;  // what follows the comma
    std::vector<std::string_view> other_versions;
};

Tokens split_tokens(std::string_view header, std::string_view version) {
    Tokens tokens;
    while (!header.empty()) {
        const auto length = std::min(header.find(' '), header.size());
        const std::string_view token = header.substr(0, length);
        header.remove_prefix(std::min(length + 1, header.size()));
        if (token.empty()) continue;
        const auto comma = token.find(',');
        if (comma != std::string_view::npos && token.substr(0, comma) == version) {
            tokens.of_version.push_back(token.substr(comma + 1));
        } else {
            tokens.other_versions.push_back(token.substr(0, comma));
        }
    }
    return tokens;
}

std::string describe_missing_version(const Tokens& tokens, std::string_view version) {
    std::string reason = fmt::format("no {} signature in webhook-signature", version);
    if (!tokens.other_versions.empty())
        reason += fmt::format(", only {}", fmt::join(tokens.other_versions, ", "));
    const std::string_view other_kind = version == "v1" ? "v1a" : "v1";
    const auto& others = tokens.other_versions;
    if (std::find(others.begin(), others.end(), other_kind) != others.end())
        reason += version == "v1" ? ": those are checked with the whpk_ key"
                                  : ": those are checked with the whsec_ key";
    return reason;
}

std::variant<std::int64_t, std::string> parse_seconds(std::string_view text) {
    if (text.empty()) return "webhook-timestamp is missing";
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || text != fmt::to_string(value) ||
        value < 0)
        return "webhook-timestamp is not a whole number of seconds";
    if (text.size() == digits_of_milliseconds)
        return "webhook-timestamp seems to be in milliseconds, it has to be in seconds";
    return value;
}

std::string describe_age(seconds age) {
    const std::int64_t s = age.count();
    if (s < 120) return fmt::format("{} seconds", s);
    if (s < 2 * 3600) return fmt::format("{} minutes", s / 60);
    if (s < 2 * 86'400) return fmt::format("{} hours", s / 3600);
    return fmt::format("{} days", s / 86'400);
}

// Empty if it is within the tolerance.
std::string describe_untimely(std::int64_t timestamp_s, SystemTime now, seconds tolerance) {
    const std::int64_t now_s = std::chrono::floor<seconds>(now).time_since_epoch().count();
    const bool ahead = timestamp_s > now_s;
    const seconds apart(ahead ? timestamp_s - now_s : now_s - timestamp_s);
    if (apart <= tolerance) return {};
    return fmt::format("timestamp is {} {}, more than the {} allowed", describe_age(apart),
                       ahead ? "in the future" : "old", describe_age(tolerance));
}

class TokenCheck {
public:
    TokenCheck(const VerifyingKey& key, std::vector<std::string_view> tokens)
        : key_(key), tokens_(std::move(tokens)) {
        for (const std::string_view token : tokens_) {
            auto bytes = base64_decode(token);
            if (bytes && bytes->size() == key.signature_bytes()) signatures_.push_back(*std::move(bytes));
        }
    }

    bool matches(const Signed& request) const {
        return std::any_of(signatures_.begin(), signatures_.end(), [&](const std::string& signature) {
            return key_.matches(signature, request.id, request.timestamp_s, request.body);
        });
    }

    std::string describe_mismatch(const Signed& request) const {
        if (signatures_.empty())
            return fmt::format("the {} signature is not base64 of {} bytes: it is cut short or altered",
                               key_.version(), key_.signature_bytes());
        if (std::string newline = describe_newline(request); !newline.empty()) return newline;
        constexpr std::string_view causes =
            "the body, webhook-id or webhook-timestamp differs from what was signed, or another key signed "
            "it";
        if (tokens_.size() == 1) return fmt::format("the signature does not match: {}", causes);
        return fmt::format("none of the {} {} signatures matches: {}", tokens_.size(), key_.version(),
                           causes);
    }

private:
    // Editors add a newline at a file's end, shells take one away: the likeliest change of a stored body.
    std::string describe_newline(Signed request) const {
        const std::string_view body = request.body;
        for (const std::string_view newline : {"\n", "\r\n"}) {
            if (body.ends_with(newline)) {
                request.body = body.substr(0, body.size() - newline.size());
                if (matches(request))
                    return "the body has a newline at its end that was not signed: without it the signature "
                           "matches";
            }
            const std::string longer = fmt::format("{}{}", body, newline);
            request.body = longer;
            if (matches(request))
                return "the body lacks a newline at its end that was signed: with it the signature matches";
        }
        return {};
    }

    const VerifyingKey& key_;
    std::vector<std::string_view> tokens_;
    std::vector<std::string> signatures_;  // those that decode
};
}  // namespace

Verification verify_signature(std::string_view key_text, std::string_view id, std::string_view timestamp,
                              std::string_view signature, std::string_view body, SystemTime now,
                              std::chrono::seconds tolerance) {
    const auto parsed_key = VerifyingKey::parse(key_text);
    if (const auto* error = std::get_if<SigningKey::Error>(&parsed_key))
        return invalid(fmt::format("the key can not be used: {}", error->rule));
    const auto& key = std::get<VerifyingKey>(parsed_key);

    if (id.empty()) return invalid("webhook-id is missing");
    const auto parsed_timestamp = parse_seconds(timestamp);
    if (const auto* reason = std::get_if<std::string>(&parsed_timestamp)) return invalid(*reason);
    const Signed request{id, std::get<std::int64_t>(parsed_timestamp), body};

    if (signature.empty()) return invalid("webhook-signature is missing");
    Tokens tokens = split_tokens(signature, key.version());
    if (tokens.of_version.empty()) return invalid(describe_missing_version(tokens, key.version()));

    const TokenCheck check(key, std::move(tokens.of_version));
    const std::string mismatch = check.matches(request) ? "" : check.describe_mismatch(request);
    const std::string untimely = describe_untimely(request.timestamp_s, now, tolerance);
    if (mismatch.empty() && untimely.empty()) return {true, {}};
    if (untimely.empty()) return invalid(mismatch);
    if (mismatch.empty()) return invalid(untimely);
    return invalid(fmt::format("{}; and {}", untimely, mismatch));
}

}  // namespace posthorn::domain
