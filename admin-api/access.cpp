#include "admin-api/access.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "admin-api/limits.hpp"
#include "admin-api/problems.hpp"
#include "base/crypto.hpp"
#include "domain/access_token.hpp"
#include "domain/endpoint_filter.hpp"
#include "http/ascii.hpp"
#include "store/api_key.hpp"
#include "store/application.hpp"
#include "store/endpoint.hpp"

namespace posthorn::admin {

using boost::asio::awaitable;

namespace {
constexpr std::string_view scheme = "Bearer ";
constexpr std::string_view api_key_prefix = "phk_";
constexpr std::string_view everything = "*";

// What a customer may do with the token of his own application: all about its endpoints, nothing about the
// backend's part.
const std::vector<std::string>& application_token_scopes() {
    static const std::vector<std::string> scopes{"application:read", "endpoint:write", "event-type:read",
                                                 "message:read", "replay:write"};
    return scopes;
}

std::string_view bearer_token(const http::Request& request) {
    const auto* field = request.fields.find("Authorization");
    if (!field) throw unauthenticated("Authorization: Bearer <token> is missing");
    if (field->size() <= scheme.size() ||
        !http::equals_without_case(std::string_view(*field).substr(0, scheme.size()), scheme))
        throw unauthenticated("Authorization must be: Bearer <token>");
    return std::string_view(*field).substr(scheme.size());
}

Principal principal_of(const store::ApiKey& key, SystemTime now) {
    if (key.expires_at && *key.expires_at <= now) throw unauthenticated("the API key has expired");
    return {key.organization, key.application, key.scopes, key.id.str()};
}

awaitable<Principal> authenticate_api_key(Context& context, std::string key) {
    auto hash = sha256(key);
    const auto now = context.clock.system_now();
    if (const auto* cached = context.api_keys.find(hash, context.clock.steady_now()))
        co_return principal_of(*cached, now);
    // The lifetime is counted from before the look-up: a revocation that was answered later is not overslept.
    const auto asked = context.clock.steady_now();
    const auto found = co_await store::find_api_key(context.pool, hash);
    if (!found) throw unauthenticated("the API key is unknown or was revoked");
    context.api_keys.put(std::move(hash), *found, asked);
    co_return principal_of(*found, now);
}

// Reading a token costs several times what its hash does, and a backend sends the same one again and again.
domain::AccessToken read_token(Context& context, std::string_view token) {
    auto hash = sha256(token);
    if (const auto* known = context.access_tokens.find(hash)) return *known;
    const auto result = domain::read_access_token(context.jwt_secret, token);
    if (const auto* error = std::get_if<domain::TokenError>(&result))
        throw unauthenticated("Invalid token: " + error->reason);
    context.access_tokens.put(std::move(hash), std::get<domain::AccessToken>(result));
    return std::get<domain::AccessToken>(result);
}

Principal authenticate_jwt(Context& context, std::string_view token) {
    const auto access = read_token(context, token);
    if (const auto reason = domain::check_times(access, context.clock.system_now()); !reason.empty())
        throw unauthenticated("Invalid token: " + reason);
    if (!access.application) return {access.organization, std::nullopt, {}, "jwt"};
    return {access.organization, access.application, application_token_scopes(), "jwt"};
}

void require_scope(const Principal& principal, Scope scope) {
    const auto wanted = fmt::format("{}:{}", scope.area, scope.write ? "write" : "read");
    if (!covers(principal, wanted)) throw forbidden("this needs the scope " + wanted);
}
}  // namespace

awaitable<Principal> authenticate(Context& context, const http::Request& request, Scope scope) {
    const auto token = bearer_token(request);
    auto principal = token.starts_with(api_key_prefix)
                         ? co_await authenticate_api_key(context, std::string(token))
                         : authenticate_jwt(context, token);
    require_scope(principal, scope);
    principal.request_id = request.id;
    co_return principal;
}

void require_organization(const Principal& principal) {
    if (principal.application)
        throw forbidden("this needs a token of the organization, not of one application");
}

awaitable<std::optional<ApplicationId>> find_application_if_any(Context& context, const Principal& principal,
                                                                const http::Request& request) {
    const auto& key = request.parameter("app_id");
    std::optional<ApplicationId> found;
    if (const auto id = ApplicationId::parse(key))
        found = co_await store::find_application(context.pool, principal.organization, *id);
    else if (domain::is_valid_name(key, limits::uid_characters))
        found = co_await store::find_application_by_uid(context.pool, principal.organization, key);
    if (principal.application && principal.application != found) throw not_found();
    co_return found;
}

awaitable<ApplicationId> find_application(Context& context, const Principal& principal,
                                          const http::Request& request) {
    if (!request.parameters.contains("app_id")) {
        require_organization(principal);
        co_return co_await store::find_operational_application(context.pool, principal.organization,
                                                               context.clock.system_now());
    }
    const auto found = co_await find_application_if_any(context, principal, request);
    if (!found) throw not_found();
    co_return *found;
}

awaitable<std::optional<EndpointId>> find_endpoint_if_any(Context& context, ApplicationId application,
                                                          const http::Request& request) {
    const auto& key = request.parameter("endpoint_id");
    if (const auto id = EndpointId::parse(key))
        co_return co_await store::find_endpoint(context.pool, application, *id);
    if (domain::is_valid_name(key, limits::uid_characters))
        co_return co_await store::find_endpoint_by_uid(context.pool, application, key);
    co_return std::nullopt;
}

awaitable<EndpointId> find_endpoint(Context& context, ApplicationId application,
                                    const http::Request& request) {
    const auto found = co_await find_endpoint_if_any(context, application, request);
    if (!found) throw not_found();
    co_return *found;
}

bool is_known_scope(std::string_view scope) {
    static constexpr std::array<std::string_view, 7> areas{"application", "endpoint", "event-type", "message",
                                                           "replay",      "api-key",  "audit-log"};
    if (scope == everything) return true;
    const auto colon = scope.find(':');
    if (colon == std::string_view::npos) return false;
    const auto verb = scope.substr(colon + 1);
    return (verb == "read" || verb == "write") &&
           std::find(areas.begin(), areas.end(), scope.substr(0, colon)) != areas.end();
}

bool covers(const Principal& principal, std::string_view scope) {
    const auto& scopes = principal.scopes;
    const auto has = [&](std::string_view wanted) {
        return std::find(scopes.begin(), scopes.end(), wanted) != scopes.end();
    };
    if (scopes.empty() || has(everything) || has(scope)) return true;
    if (!scope.ends_with(":read")) return false;
    return has(std::string(scope.substr(0, scope.find(':'))) + ":write");
}

}  // namespace posthorn::admin
