#include "store/api_key.hpp"

#include <boost/json.hpp>

#include "admin-api/change.hpp"
#include "admin-api/fields.hpp"
#include "admin-api/pagination.hpp"
#include "admin-api/routes.hpp"
#include "base/crypto.hpp"
#include "base/encoding.hpp"
#include "base/random.hpp"
#include "store/application.hpp"

namespace posthorn::admin {

using boost::asio::awaitable;
namespace json = boost::json;

namespace {

constexpr TextRule name_rule{.shortest = 1, .longest = limits::name_characters};
constexpr ListRule scopes_rule{
    .fewest = 1, .most = limits::scopes_per_api_key, .item = {.shortest = 1, .longest = 64}};
constexpr std::size_t key_bytes = 32;

json::object to_json(const store::ApiKey& key) {
    return {{"id", key.id.str()},
            {"name", key.name},
            {"scopes", json::value_from(key.scopes)},
            {"applicationId", key.application ? json::value(key.application->str()) : json::value(nullptr)},
            {"createdAt", format_timestamp(key.created_at)},
            {"expiresAt",
             key.expires_at ? json::value(format_timestamp(*key.expires_at)) : json::value(nullptr)}};
}

awaitable<Principal> authenticate_owner(Context& context, const http::Request& request, bool write) {
    auto principal = co_await authenticate(context, request, {"api-key", write});
    require_organization(principal);
    co_return principal;
}

// Nobody makes a key that may do more than himself.
void check_scopes(const Principal& principal, const std::vector<std::string>& scopes, Problems& problems) {
    for (std::size_t i = 0; i < scopes.size(); ++i) {
        const Problems::Location location{"body", "scopes", std::to_string(i)};
        if (!is_known_scope(scopes[i]))
            problems.add(
                location,
                "must be \"*\" or <area>:read or <area>:write, with an area of application, endpoint, "
                "event-type, message, replay, api-key, audit-log",
                "value_error.scope");
        else if (!covers(principal, scopes[i]))
            problems.add(location, "is more than the key that is used for this request may do",
                         "value_error.scope");
    }
}

awaitable<std::optional<ApplicationId>> read_application(Context& context, const Principal& principal,
                                                         std::string key, Problems& problems) {
    const auto id = ApplicationId::parse(key);
    const auto found =
        id ? co_await store::find_application(context.pool, principal.organization, *id)
           : co_await store::find_application_by_uid(context.pool, principal.organization, std::move(key));
    if (!found)
        problems.add({"body", "applicationId"}, "there is no such application", "value_error.not_found");
    co_return found;
}

awaitable<store::ApiKey> read_key(Context& context, const Principal& principal,
                                  const http::Request& request) {
    Problems problems;
    const auto body = parse_body(request);
    const ObjectReader reader(body, problems);
    const auto name = reader.text("name", Need::required, name_rule);
    const auto scopes = reader.texts("scopes", Need::required, scopes_rule);
    const auto application = reader.text("applicationId", Need::nullable, uid_rule);
    const auto expires_at = reader.time("expiresAt", Need::nullable);
    const auto now = context.clock.system_now();
    if (scopes) check_scopes(principal, *scopes, problems);
    if (expires_at && *expires_at <= now) problems.add({"body", "expiresAt"}, "must be in the future");
    store::ApiKey key;
    if (application) key.application = co_await read_application(context, principal, *application, problems);
    problems.throw_if_any();
    key.id = ApiKeyId::make(now);
    key.name = *name;
    key.scopes = *scopes;
    key.expires_at = expires_at.value;
    key.organization = principal.organization;
    co_return key;
}

awaitable<store::ApiKey> insert(store::Connection& connection, const Context& context,
                                const Principal& principal, const store::ApiKey& key,
                                const std::string& hash) {
    auto stored = co_await store::insert_api_key(connection, key, hash);
    co_await audit(connection, context, principal, "api_key.create", key.id.str(),
                   {{"name", key.name}, {"scopes", json::value_from(key.scopes)}});
    co_return stored;
}

awaitable<void> revoke(store::Connection& connection, const Context& context, const Principal& principal,
                       ApiKeyId id) {
    if (!co_await store::revoke_api_key(connection, principal.organization, id)) throw not_found();
    co_await audit(connection, context, principal, "api_key.revoke", id.str());
}

// The answer is the only place where the key itself is ever seen.
awaitable<http::Response> create_api_key(Context& context, http::Request& request) {
    const auto principal = co_await authenticate_owner(context, request, true);
    const auto key = co_await read_key(context, principal, request);
    const Secret text("phk_" + base64url_encode(random_bytes(key_bytes)));
    const auto hash = sha256(text.reveal());
    const auto stored = co_await change(context, {}, [&](store::Connection& connection) {
        return insert(connection, context, principal, key, hash);
    });
    auto answer = to_json(stored);
    answer["key"] = text.reveal();
    co_return http::json_response(201, answer);
}

awaitable<http::Response> list_api_keys(Context& context, http::Request& request) {
    const auto principal = co_await authenticate_owner(context, request, false);
    Problems problems;
    const auto page = read_page<ApiKeyId>(QueryReader(request, problems), Order::ascending);
    problems.throw_if_any();
    auto rows = co_await store::list_api_keys(context.pool, principal.organization, scan_of(page));
    co_return page_response(
        page, std::move(rows), [](const store::ApiKey& row) { return row.id.str(); }, to_json);
}

awaitable<http::Response> get_api_key(Context& context, http::Request& request) {
    const auto principal = co_await authenticate_owner(context, request, false);
    const auto id = ApiKeyId::parse(request.parameter("key_id"));
    if (!id) throw not_found();
    const auto key = co_await store::load_api_key(context.pool, principal.organization, *id);
    if (!key) throw not_found();
    co_return http::json_response(200, to_json(*key));
}

// Takes effect everywhere within ApiKeyCache::lifetime.
awaitable<http::Response> revoke_api_key(Context& context, http::Request& request) {
    const auto principal = co_await authenticate_owner(context, request, true);
    const auto id = ApiKeyId::parse(request.parameter("key_id"));
    if (!id) throw not_found();
    co_await change(context, {}, [&](store::Connection& connection) {
        return revoke(connection, context, principal, *id);
    });
    co_return http::empty_response(204);
}

}  // namespace

void add_api_key_routes(http::Router& router, Context& context) {
    using http::Method;
    add_route(router, context, Method::get, "/api/v1/api-key", list_api_keys);
    add_route(router, context, Method::post, "/api/v1/api-key", create_api_key);
    add_route(router, context, Method::get, "/api/v1/api-key/{key_id}", get_api_key);
    add_route(router, context, Method::del, "/api/v1/api-key/{key_id}", revoke_api_key);
}

}  // namespace posthorn::admin
