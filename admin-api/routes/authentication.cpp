#include <boost/json.hpp>

#include "admin-api/access.hpp"
#include "admin-api/applications.hpp"
#include "admin-api/change.hpp"
#include "admin-api/fields.hpp"
#include "admin-api/problems.hpp"
#include "admin-api/routes.hpp"
#include "base/encoding.hpp"
#include "domain/access_token.hpp"

namespace posthorn::admin {

using boost::asio::awaitable;
namespace json = boost::json;

namespace {

constexpr std::chrono::seconds shortest_portal_access{3'600}, longest_portal_access{7 * 86'400};

// Where the client reached us, so that its customers do too: a proxy in front says whether that was over TLS.
std::string base_url(const http::Request& request) {
    const auto* host = request.fields.find("Host");
    const auto* protocol = request.fields.find("X-Forwarded-Proto");
    const bool secure = protocol != nullptr && *protocol == "https";
    return (secure ? "https://" : "http://") + (host != nullptr ? *host : std::string("localhost"));
}

// The key's form is that of the compatible API's clients: base64 of a JSON object.
std::string login_url(const http::Request& request, ApplicationId application, const std::string& token) {
    const auto key = json::serialize(json::object{{"appId", application.str()}, {"token", token}});
    return base_url(request) + "/login#key=" + base64_encode(key);
}

// A token for a customer to see to his own endpoints with; nothing is stored of it.
awaitable<http::Response> grant_portal_access(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"application", true});
    require_organization(principal);
    Problems problems;
    const auto body = request.body.empty() ? json::object() : parse_body(request);
    const ObjectReader reader(body, problems);
    const auto expiry = reader.integer("expiry", Need::nullable, shortest_portal_access.count(),
                                       longest_portal_access.count());
    const auto new_application = reader.object("application", Need::nullable);
    problems.throw_if_any();
    const auto application = co_await find_or_create_application(
        context, principal, request, new_application ? &*new_application : nullptr);
    const std::chrono::seconds lifetime{expiry.value_or(longest_portal_access.count())};
    const auto token = domain::make_access_token(context.jwt_secret, principal.organization, application,
                                                 context.clock.system_now(), lifetime);
    co_await change(context, {}, [&](store::Connection& connection) {
        return audit(connection, context, principal, "application.portal-access", application.str());
    });
    co_return http::json_response(
        200, json::object{{"url", login_url(request, application, token)}, {"token", token}});
}

// Nothing to forget: a token ends by its time.
awaitable<http::Response> log_out(Context&, http::Request&) { co_return http::empty_response(204); }

}  // namespace

void add_authentication_routes(http::Router& router, Context& context) {
    using http::Method;
    add_route(router, context, Method::post, "/api/v1/auth/app-portal-access/{app_id}", grant_portal_access);
    add_route(router, context, Method::post, "/api/v1/auth/dashboard-access/{app_id}", grant_portal_access);
    add_route(router, context, Method::post, "/api/v1/auth/logout", log_out);
}

}  // namespace posthorn::admin
