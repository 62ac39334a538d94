#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/clock.hpp"
#include "base/id.hpp"
#include "base/secret.hpp"

namespace posthorn::domain {

// Access tokens are JSON Web Tokens (RFC 7519) as the compatible server makes them: HS256 and nothing else;
// `sub` an organization, or an application together with `org`, its organization.
struct AccessToken {
    OrganizationId organization;
    std::optional<ApplicationId> application;
    std::optional<double> expires_s = {}, begins_s = {}, issued_s = {};  // since 1970 (RFC 7519, 2)
};
struct TokenError {
    std::string reason;
};

inline constexpr std::size_t longest_access_token_bytes = 4096;
inline constexpr std::chrono::seconds access_token_leeway{60};  // clocks differ

// Whose token it is, by its signature, whatever the time.
std::variant<AccessToken, TokenError> read_access_token(const Secret& secret, std::string_view token);
// Why it is not valid now; empty if it is.
std::string check_times(const AccessToken& token, SystemTime now);
// Both. Any `iss`, `aud` and `jti` are accepted; `exp`, `nbf` and `iat` are honoured where they are.
std::variant<AccessToken, TokenError> verify_access_token(const Secret& secret, std::string_view token,
                                                          SystemTime now);

std::string make_access_token(const Secret& secret, OrganizationId organization,
                              std::optional<ApplicationId> application, SystemTime now,
                              std::chrono::seconds lifetime);

// An organization's id in our own form, or "org_" and 1 to 64 letters and digits, as other makers of tokens
// write it. The latter stand for a UUIDv8 that is made from their SHA-256: always the same one.
std::optional<OrganizationId> parse_organization(std::string_view text);

// Whose tokens `posthorn token` makes when it is told nothing else: the organization that the compatible
// server's command has as its default, so that tokens of either reach the same data.
OrganizationId default_organization();

}  // namespace posthorn::domain
