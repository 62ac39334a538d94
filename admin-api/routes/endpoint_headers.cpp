#include "admin-api/endpoint_headers.hpp"

#include <boost/json.hpp>

#include "admin-api/change.hpp"
#include "admin-api/routes.hpp"
#include "store/endpoint_change.hpp"

namespace posthorn::admin {

using boost::asio::awaitable;
namespace json = boost::json;

namespace {

awaitable<http::Response> get_headers(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"endpoint", false});
    const auto application = co_await find_application(context, principal, request);
    const auto id = co_await find_endpoint(context, application, request);
    const auto endpoint = co_await store::load_endpoint(context.pool, application, id);
    if (!endpoint) throw not_found();
    json::object shown;
    json::array hidden;
    for (const auto& [name, value] : open_headers(context.secret_box, *endpoint)) {
        if (is_sensitive_header(name))
            hidden.emplace_back(name);
        else
            shown[name] = value;
    }
    co_return http::json_response(
        200, json::object{{"headers", std::move(shown)}, {"sensitive", std::move(hidden)}});
}

template <class Apply>
awaitable<void> update(store::Connection& connection, const Context& context, const Principal& principal,
                       ApplicationId application, EndpointId id, const Apply& apply) {
    auto endpoint = co_await store::load_endpoint_for_update(connection, application, id);
    if (!endpoint) throw not_found();
    auto headers = open_headers(context.secret_box, *endpoint);
    apply(headers);
    endpoint->headers = seal_headers(context.secret_box, id, headers);
    co_await store::update_endpoint(connection, application, std::move(*endpoint));
    co_await store::record_endpoint_changes(connection, {id});
    co_await audit(connection, context, principal, "endpoint.headers", id.str(),
                   {{"application", application.str()}});
}

template <class Apply>
awaitable<http::Response> modify(Context& context, const Principal& principal, const http::Request& request,
                                 Apply apply) {
    const auto application = co_await find_application(context, principal, request);
    const auto id = co_await find_endpoint(context, application, request);
    co_await change(context, {}, [&](store::Connection& connection) {
        return update(connection, context, principal, application, id, apply);
    });
    co_await store::await_acknowledged(context.pool, {id});
    co_return http::empty_response(204);
}

NullableStringMap read_body(const http::Request& request, bool nulls) {
    Problems problems;
    const auto body = parse_body(request);
    const auto headers = read_headers(ObjectReader(body, problems), Need::required, nulls);
    problems.throw_if_any();
    return *headers;
}

awaitable<http::Response> put_headers(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"endpoint", true});
    const auto given = read_body(request, false);
    co_return co_await modify(context, principal, request,
                              [&](EndpointHeaders& headers) { replace_headers(headers, given); });
}

awaitable<http::Response> patch_endpoint_headers(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"endpoint", true});
    const auto given = read_body(request, true);
    co_return co_await modify(context, principal, request, [&](EndpointHeaders& headers) {
        Problems problems;
        patch_headers(headers, given, problems);
        problems.throw_if_any();
    });
}

}  // namespace

void add_endpoint_header_routes(http::Router& router, Context& context) {
    using http::Method;
    for (const auto endpoints : endpoint_paths) {
        const auto path = std::string(endpoints) + "/{endpoint_id}/headers";
        add_route(router, context, Method::get, path, get_headers);
        add_route(router, context, Method::put, path, put_headers);
        add_route(router, context, Method::patch, path, patch_endpoint_headers);
    }
}

}  // namespace posthorn::admin
