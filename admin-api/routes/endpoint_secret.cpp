#include "store/endpoint_secret.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include "admin-api/change.hpp"
#include "admin-api/fields.hpp"
#include "admin-api/routes.hpp"
#include "base/crypto.hpp"
#include "domain/signature.hpp"
#include "store/endpoint.hpp"
#include "store/endpoint_change.hpp"

namespace posthorn::admin {

using boost::asio::awaitable;
using domain::SigningKey;

namespace {

constexpr TextRule key_rule{.shortest = 1, .longest = 128};

struct Rotation {
    SigningKey key;
    std::chrono::seconds grace_period;
};

// Reading the secret is as much as being able to sign: it takes the scope to write.
awaitable<http::Response> get_secret(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"endpoint", true});
    const auto application = co_await find_application(context, principal, request);
    const auto id = co_await find_endpoint(context, application, request);
    const auto sealed = co_await store::load_current_secret(context.pool, id);
    if (!sealed) throw not_found();
    const auto key = context.secret_box.open(id, *sealed);
    co_return http::json_response(200, boost::json::object{{"key", key.reveal()}});
}

Rotation read_rotation(const http::Request& request) {
    Problems problems;
    const auto body = parse_body(request);
    const ObjectReader reader(body, problems);
    const auto text = reader.text("key", Need::nullable, key_rule);
    const auto grace =
        reader.integer("gracePeriodSeconds", Need::nullable, 0, limits::longest_grace_period.count());
    auto key = text ? SigningKey::parse(*text) : SigningKey::generate(SigningKey::Kind::hmac_sha256);
    if (const auto* error = std::get_if<SigningKey::Error>(&key))
        problems.add({"body", "key"}, error->rule, "value_error.secret");
    problems.throw_if_any();
    return {std::get<SigningKey>(std::move(key)),
            std::chrono::seconds(grace.value_or(limits::default_grace_period.count()))};
}

awaitable<void> replace_current(store::Connection& connection, const Context& context, EndpointId id,
                                const Rotation& rotation) {
    const auto sealed = co_await store::load_current_secret(connection, id);
    if (sealed &&
        equal_in_constant_time(context.secret_box.open(id, *sealed).reveal(), rotation.key.text().reveal()))
        throw http::ValidationProblem{
            {{{"body", "key"}, "is the endpoint's current key already", "value_error"}}};
    co_await store::remove_expired_secrets(connection, id);
    const bool stays = rotation.grace_period > std::chrono::seconds::zero();
    const auto old = co_await store::count_old_secrets(connection, id);
    if (stays && old >= static_cast<std::int64_t>(limits::old_secrets_per_endpoint))
        throw conflict(fmt::format(
            "{} old keys still sign, and more are not allowed: rotate with gracePeriodSeconds 0, or wait "
            "until one expires",
            old));
    co_await store::retire_current_secret(connection, id, rotation.grace_period);
    co_await store::insert_endpoint_secret(connection, id, EndpointSecretId::make(context.clock.system_now()),
                                           context.secret_box.seal(id, rotation.key.text().reveal()));
}

awaitable<void> rotate(store::Connection& connection, const Context& context, const Principal& principal,
                       ApplicationId application, EndpointId id, const Rotation& rotation) {
    if (!co_await store::load_endpoint_for_update(connection, application, id)) throw not_found();
    co_await replace_current(connection, context, id, rotation);
    co_await store::tell_of_secret_rotation(connection, id);
    co_await store::record_endpoint_changes(connection, {id});
    co_await audit(
        connection, context, principal, "endpoint.rotate_secret", id.str(),
        {{"application", application.str()}, {"gracePeriodSeconds", rotation.grace_period.count()}});
}

awaitable<http::Response> rotate_secret(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"endpoint", true});
    const auto application = co_await find_application(context, principal, request);
    const auto id = co_await find_endpoint(context, application, request);
    const auto rotation = read_rotation(request);
    co_await change(context, {}, [&](store::Connection& connection) {
        return rotate(connection, context, principal, application, id, rotation);
    });
    co_await store::await_acknowledged(context.pool, {id});
    co_return http::empty_response(204);
}

}  // namespace

void add_endpoint_secret_routes(http::Router& router, Context& context) {
    using http::Method;
    for (const auto endpoints : endpoint_paths) {
        const auto path = std::string(endpoints) + "/{endpoint_id}/secret";
        add_route(router, context, Method::get, path, get_secret);
        add_route(router, context, Method::post, path + "/rotate", rotate_secret);
    }
}

}  // namespace posthorn::admin
