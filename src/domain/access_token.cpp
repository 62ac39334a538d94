#include "domain/access_token.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "base/crypto.hpp"
#include "base/encoding.hpp"

namespace posthorn::domain {

namespace json = boost::json;

namespace {
constexpr std::size_t deepest_nesting = 8;
constexpr std::size_t longest_foreign_organization = 64;
constexpr std::string_view issuer = "posthorn";
constexpr std::string_view organization_prefix = "org_";

struct Parts {
    std::string_view signed_text, header, claims, signature;
};

std::optional<Parts> split(std::string_view token) {
    const auto first = token.find('.');
    if (first == std::string_view::npos) return std::nullopt;
    const auto second = token.find('.', first + 1);
    if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos)
        return std::nullopt;
    return Parts{token.substr(0, second), token.substr(0, first), token.substr(first + 1, second - first - 1),
                 token.substr(second + 1)};
}

std::optional<json::object> decode_object(std::string_view base64url) {
    const auto text = base64url_decode(base64url);
    if (!text) return std::nullopt;
    json::parse_options options;
    options.max_depth = deepest_nesting;
    boost::system::error_code error;
    const auto value = json::parse(*text, error, {}, options);
    if (error || !value.is_object()) return std::nullopt;
    return value.get_object();
}

std::optional<std::string_view> text_of(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(json::string_view(name.data(), name.size()));
    const auto* text = value ? value->if_string() : nullptr;
    if (!text) return std::nullopt;
    return std::string_view(text->data(), text->size());
}

// A NumericDate (RFC 7519, 2): seconds since 1970, perhaps with a fraction. False: it is no number.
bool read_date(const json::object& claims, std::string_view name, std::optional<double>& seconds) {
    const auto* value = claims.if_contains(json::string_view(name.data(), name.size()));
    if (!value) return true;
    if (!value->is_number()) return false;
    seconds = value->to_number<double>();
    return true;
}

std::variant<AccessToken, TokenError> read_subject(const json::object& claims) {
    const auto subject = text_of(claims, "sub");
    if (!subject) return TokenError{"the token has no sub"};
    if (const auto organization = parse_organization(*subject))
        return AccessToken{.organization = *organization, .application = std::nullopt};
    const auto application = ApplicationId::parse(*subject);
    if (!application) return TokenError{"sub must be an organization (org_...) or an application (app_...)"};
    const auto owner = text_of(claims, "org");
    const auto organization = owner ? parse_organization(*owner) : std::nullopt;
    if (!organization) return TokenError{"an application's token must name its organization in org"};
    return AccessToken{.organization = *organization, .application = application};
}
}  // namespace

std::variant<AccessToken, TokenError> read_access_token(const Secret& secret, std::string_view token) {
    if (token.size() > longest_access_token_bytes) return TokenError{"the token is too long"};
    const auto parts = split(token);
    const auto signature = parts ? base64url_decode(parts->signature) : std::nullopt;
    if (!signature) return TokenError{"not a JSON Web Token"};
    if (secret.empty() ||
        !equal_in_constant_time(*signature, hmac_sha256(secret.reveal(), parts->signed_text)))
        return TokenError{"the token's signature is wrong"};
    const auto header = decode_object(parts->header);
    if (!header || text_of(*header, "alg") != "HS256") return TokenError{"the token's alg must be HS256"};
    // RFC 7515, 4.1.11: extensions that must be understood, and none are.
    if (header->contains("crit")) return TokenError{"the token asks for extensions (crit)"};
    const auto claims = decode_object(parts->claims);
    if (!claims) return TokenError{"the token's claims are not a JSON object"};
    auto read = read_subject(*claims);
    if (auto* found = std::get_if<AccessToken>(&read);
        found != nullptr &&
        (!read_date(*claims, "exp", found->expires_s) || !read_date(*claims, "nbf", found->begins_s) ||
         !read_date(*claims, "iat", found->issued_s)))
        return TokenError{"exp, nbf and iat must be numbers"};
    return read;
}

std::string check_times(const AccessToken& token, SystemTime now) {
    const double seconds = std::chrono::duration<double>(now.time_since_epoch()).count();
    const auto leeway = static_cast<double>(access_token_leeway.count());
    if (token.expires_s && seconds >= *token.expires_s + leeway) return "the token has expired";
    if (token.begins_s && seconds < *token.begins_s - leeway) return "the token is not valid yet (nbf)";
    if (token.issued_s && seconds < *token.issued_s - leeway)
        return "the token was issued in the future (iat)";
    return {};
}

std::variant<AccessToken, TokenError> verify_access_token(const Secret& secret, std::string_view token,
                                                          SystemTime now) {
    auto read = read_access_token(secret, token);
    if (const auto* found = std::get_if<AccessToken>(&read))
        if (auto reason = check_times(*found, now); !reason.empty()) return TokenError{std::move(reason)};
    return read;
}

std::string make_access_token(const Secret& secret, OrganizationId organization,
                              std::optional<ApplicationId> application, SystemTime now,
                              std::chrono::seconds lifetime) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
    json::object claims{{"iss", json::string_view(issuer.data(), issuer.size())},
                        {"iat", seconds},
                        {"nbf", seconds},
                        {"exp", seconds + lifetime.count()},
                        {"sub", application ? application->str() : organization.str()}};
    if (application) claims["org"] = organization.str();
    auto token =
        base64url_encode(R"({"alg":"HS256","typ":"JWT"})") + "." + base64url_encode(json::serialize(claims));
    token += "." + base64url_encode(hmac_sha256(secret.reveal(), token));
    return token;
}

std::optional<OrganizationId> parse_organization(std::string_view text) {
    if (const auto own = OrganizationId::parse(text)) return own;
    if (!text.starts_with(organization_prefix)) return std::nullopt;
    const auto name = text.substr(organization_prefix.size());
    const auto is_alphanumeric = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    };
    if (name.empty() || name.size() > longest_foreign_organization ||
        !std::all_of(name.begin(), name.end(), is_alphanumeric))
        return std::nullopt;
    const auto digest = sha256(text);
    OrganizationId organization;
    auto& bytes = organization.value.bytes;
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(digest[i]);
    bytes[6] = static_cast<std::uint8_t>(0x80 | (bytes[6] & 0x0F));  // RFC 9562, 5.8: version 8
    bytes[8] = static_cast<std::uint8_t>(0x80 | (bytes[8] & 0x3F));  // and variant
    return organization;
}

OrganizationId default_organization() {
    static const OrganizationId organization = *parse_organization("org_23rb8YdGqMT0qIzpgGwdXfHirMu");
    return organization;
}

}  // namespace posthorn::domain
