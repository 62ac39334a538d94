#include "store/health.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>

#include "admin-api/routes.hpp"

namespace posthorn::admin {

namespace asio = boost::asio;
using asio::awaitable;

namespace {

constexpr std::chrono::seconds longest_ping{2};

awaitable<http::Response> get_health(Context&, http::Request&) { co_return http::empty_response(204); }

// The process runs and its loop turns: a supervisor restarts it otherwise.
awaitable<http::Response> get_live(Context&, http::Request&) {
    co_return http::json_response(200, boost::json::object{{"status", "live"}});
}

awaitable<bool> database_answers(Context& context) {
    try {
        co_await store::ping(context.pool);
        co_return true;
    } catch (const store::DatabaseError&) {
        co_return false;
    }
}

// Requests can be served: a load balancer sends them elsewhere otherwise.
awaitable<http::Response> get_ready(Context& context, http::Request&) {
    using namespace asio::experimental::awaitable_operators;
    asio::steady_timer timer(co_await asio::this_coro::executor, longest_ping);
    const auto first = co_await (database_answers(context) || timer.async_wait(asio::use_awaitable));
    if (first.index() == 0 && std::get<0>(first))
        co_return http::json_response(200, boost::json::object{{"status", "ready"}});
    throw http::Problem{503, "not_ready", "the database does not answer"};
}

}  // namespace

void add_health_routes(http::Router& router, Context& context) {
    using http::Method;
    add_route(router, context, Method::get, "/api/v1/health", get_health);
    add_route(router, context, Method::get, "/api/v1/health/ping", get_health);
    add_route(router, context, Method::get, "/live", get_live);
    add_route(router, context, Method::get, "/ready", get_ready);
}

}  // namespace posthorn::admin
