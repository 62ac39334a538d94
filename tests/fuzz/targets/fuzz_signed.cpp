// What is believed because of a signature: webhooks (keys, headers), access tokens, sealed secrets. What was
// signed verifies; with one byte altered, wherever, it does not.
#include <array>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <stdexcept>

#include "base/crypto.hpp"
#include "base/encoding.hpp"
#include "check.hpp"
#include "domain/access_token.hpp"
#include "domain/secret_box.hpp"
#include "domain/signature.hpp"

using namespace posthorn;
using domain::SigningKey;
using fuzz::require;

namespace {

constexpr std::int64_t now_s = 1'800'000'000;
constexpr SystemTime now{std::chrono::seconds(now_s)};
constexpr std::chrono::seconds tolerance{300};

SigningKey parsed_key(std::string_view text) {
    auto parsed = SigningKey::parse(text);
    require(std::holds_alternative<SigningKey>(parsed), "a key is a key");
    return std::get<SigningKey>(std::move(parsed));
}

const SigningKey& symmetric_key() {
    static const auto key = parsed_key("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX");
    return key;
}

const SigningKey& key_pair() {
    static const std::string seed(32, '\x07');
    static const auto key = parsed_key("whsk_" + base64_encode(seed + ed25519_public_key(seed)));
    return key;
}

// Another byte at a place of the fuzzer's choice; false where there is none.
bool alter(std::string& text, std::uint8_t place, std::uint8_t by) {
    if (text.empty() || by == 0) return false;
    auto& byte = text[place * text.size() / 256];
    byte = static_cast<char>(static_cast<std::uint8_t>(byte) ^ by);
    return true;
}

struct SignedRequest {
    std::string id, timestamp, body, signature;

    bool verifies(std::string_view key) const {
        const auto verdict = domain::verify_signature(key, id, timestamp, signature, body, now, tolerance);
        require(verdict.valid == verdict.reason.empty(), "what does not verify has a reason");
        return verdict.valid;
    }
};

void check_webhook(std::string_view rest) {
    const auto which = fuzz::take_byte(rest), place = fuzz::take_byte(rest), by = fuzz::take_byte(rest);
    const auto& key = which % 2 == 0 ? symmetric_key() : key_pair();
    const auto verifying_text = which % 2 == 0 ? key.text().reveal() : key.public_text();
    const auto seconds = now_s - 300 + fuzz::take_byte(rest);
    SignedRequest request{std::string(fuzz::take_part(rest)), fmt::to_string(seconds), std::string(rest), {}};
    if (request.id.empty()) return;
    request.signature = key.sign(request.id, seconds, request.body);
    require(request.verifies(verifying_text), "what was signed verifies");
    require(request.verifies(key.text().reveal()), "by the whole key too");
    require(!request.verifies((which % 2 == 0 ? key_pair() : symmetric_key()).text().reveal()),
            "and by no other key");
    std::string* const parts[]{&request.id, &request.timestamp, &request.body, &request.signature};
    if (!alter(*parts[which / 2 % 4], place, by)) return;
    require(!request.verifies(verifying_text), "what was altered does not");
}

void check_anything(std::string_view rest) {
    const std::string key(fuzz::take_part(rest));
    SignedRequest request;
    for (auto* part : {&request.id, &request.timestamp, &request.signature}) *part = fuzz::take_part(rest);
    request.body = rest;
    const bool valid = request.verifies(key);
    auto parsed = SigningKey::parse(key);
    if (auto* error = std::get_if<SigningKey::Error>(&parsed)) return require(!error->rule.empty(), "a rule");
    const auto& signing = std::get<SigningKey>(parsed);
    const auto again = parsed_key(signing.text().reveal());
    require(again.sign("a", 1, "b") == signing.sign("a", 1, "b"),
            "a key that is stored and read is the same key");
    require(signing.text().reveal().ends_with(key), "and is written as it was given");
    if (valid)
        require(request.signature.find(signing.sign(request.id, std::stoll(request.timestamp),
                                                    request.body)) != std::string::npos,
                "what verifies was signed by that key");
}

void check_token(std::string_view rest) {
    static const Secret secret("the fuzzed tokens' secret");
    const auto place = fuzz::take_byte(rest), by = fuzz::take_byte(rest), which = fuzz::take_byte(rest);
    const auto organization = domain::default_organization();
    const ApplicationId application{uuid_v7_floor(now)};
    auto token = domain::make_access_token(secret, organization,
                                           which % 2 == 0 ? std::nullopt : std::optional(application), now,
                                           std::chrono::seconds(which));
    const auto read = domain::verify_access_token(secret, token, now);
    const auto* own = std::get_if<domain::AccessToken>(&read);
    require(own != nullptr && own->organization == organization, "a token that was made is a token");
    if (alter(token, place, by))
        require(std::holds_alternative<domain::TokenError>(domain::read_access_token(secret, token)),
                "an altered token is none");
    require(std::holds_alternative<domain::TokenError>(domain::read_access_token(secret, rest)),
            "what nobody signed is none");
}

// Header and claims of anybody's, signed: only those with alg HS256 and a subject are tokens.
void check_claims(std::string_view rest) {
    static const Secret secret("the fuzzed claims' secret");
    const auto header = fuzz::take_part(rest);
    auto token = base64url_encode(header) + "." + base64url_encode(rest);
    token += "." + base64url_encode(hmac_sha256(secret.reveal(), token));
    const auto read = domain::read_access_token(secret, token);
    if (const auto* error = std::get_if<domain::TokenError>(&read))
        return require(!error->reason.empty(), "a reason");
    const auto parsed = boost::json::parse({header.data(), header.size()});
    require(parsed.at("alg") == "HS256" && !parsed.as_object().contains("crit"),
            "no other alg, no extension");
    const auto& found = std::get<domain::AccessToken>(read);
    require(!found.organization.is_nil(), "a token is an organization's");
    domain::check_times(found, now);
    require(std::holds_alternative<domain::TokenError>(
                domain::read_access_token(Secret("another secret"), token)),
            "by another secret it is none");
}

void check_sealed(std::string_view rest) {
    static const domain::SecretBox box(Secret(std::string(32, 'k')));
    const auto place = fuzz::take_byte(rest), by = fuzz::take_byte(rest);
    const EndpointId endpoint{uuid_v7_floor(now)};
    auto sealed = box.seal(endpoint, rest);
    require(box.open(endpoint, sealed).reveal() == rest, "what was sealed opens");
    const auto opens = [&](EndpointId as, std::string_view text) {
        try {
            (void)box.open(as, text);
            return true;
        } catch (const std::runtime_error&) {
            return false;
        }
    };
    require(!opens(EndpointId{uuid_v7_floor(now + std::chrono::seconds(1))}, sealed),
            "for no other endpoint");
    if (alter(sealed, place, by)) require(!opens(endpoint, sealed), "and not when it was altered");
    require(!opens(endpoint, rest), "nor does what nobody sealed");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::array checks{check_webhook, check_anything, check_token, check_claims, check_sealed};
    fuzz::run_chosen(checks, fuzz::text_of(data, size));
    return 0;
}
