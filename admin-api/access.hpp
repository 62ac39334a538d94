#pragma once
#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>

#include "admin-api/context.hpp"
#include "base/id.hpp"

namespace posthorn::admin {

// Who asks. Every query of a handler is bound to `organization`, and to `application` where it is set.
struct Principal {
    OrganizationId organization;
    std::optional<ApplicationId> application;  // an application's token (app portal): that application only
    std::vector<std::string> scopes;           // of an API key or an application's token; empty: everything
    std::string actor;                         // for the audit log: "jwt" or the key's id
    std::string request_id = {};               // likewise
};

// A word for what a route does; API keys carry scopes as "<area>:read" / "<area>:write", area one of
// application, endpoint, event-type, message, replay, api-key, audit-log; "*" is everything.
struct Scope {
    std::string_view area;
    bool write = false;
};

// From "Authorization: Bearer ...": an HS256 JWT (sub "org_..." or "app_..." with org) or an API key
// ("phk_..."). Throws http::Problem: 401 authentication_failed; 403 where the scope is missing, or an
// application's token is used for organization matters.
boost::asio::awaitable<Principal> authenticate(Context& context, const http::Request& request, Scope scope);

// For what belongs to the organization as a whole. Throws Problem 403 for a principal of one application.
void require_organization(const Principal& principal);

// The application of the path's {app_id} (id or uid), of the principal's organization; throws Problem 404
// otherwise, also for another application than an application token's own. Not deleted. A route without
// {app_id} is one of the operational webhooks: their application, for principals of the organization only
// (Problem 403).
boost::asio::awaitable<ApplicationId> find_application(Context& context, const Principal& principal,
                                                       const http::Request& request);

// The same for a PUT that creates what isn't there: nothing where the organization has no such application (a
// principal of one application still gets 404).
boost::asio::awaitable<std::optional<ApplicationId>> find_application_if_any(Context& context,
                                                                             const Principal& principal,
                                                                             const http::Request& request);

// The endpoint of {endpoint_id} (id or uid) of that application; throws Problem 404.
boost::asio::awaitable<EndpointId> find_endpoint(Context& context, ApplicationId application,
                                                 const http::Request& request);
boost::asio::awaitable<std::optional<EndpointId>> find_endpoint_if_any(Context& context,
                                                                       ApplicationId application,
                                                                       const http::Request& request);

// The words a key's scopes are made of.
bool is_known_scope(std::string_view scope);
// Whether the principal may do all that the scope allows.
bool covers(const Principal& principal, std::string_view scope);

}  // namespace posthorn::admin
