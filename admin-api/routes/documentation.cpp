#include <boost/asio/awaitable.hpp>

#include "admin-api/api_document.hpp"
#include "admin-api/routes.hpp"
#include "base/crypto.hpp"
#include "base/encoding.hpp"

namespace posthorn::admin {

using boost::asio::awaitable;

namespace {

std::string make_etag(std::string_view text) { return '"' + hex_encode(sha256(text)).substr(0, 32) + '"'; }

// The same for everybody until the service is another one. The page may load its style and nothing else.
http::Response document_response(const http::Request& request, std::string_view text, std::string etag,
                                 std::string content_type) {
    const auto* known = request.fields.find("If-None-Match");
    auto response = known && *known == etag
                        ? http::empty_response(304)
                        : http::Response{200, std::string(text), std::move(content_type), {}};
    response.fields.add("ETag", std::move(etag));
    response.fields.add("Cache-Control", "no-cache");
    response.fields.add("Content-Security-Policy",
                        "default-src 'none'; style-src 'self'; frame-ancestors 'none'");
    response.fields.add("X-Content-Type-Options", "nosniff");
    return response;
}

awaitable<http::Response> get_document(Context&, http::Request& request) {
    static const auto etag = make_etag(api_document());
    co_return document_response(request, api_document(), etag, "application/json");
}

awaitable<http::Response> get_page(Context&, http::Request& request) {
    static const auto etag = make_etag(reference_page());
    co_return document_response(request, reference_page(), etag, "text/html; charset=utf-8");
}

awaitable<http::Response> get_style(Context&, http::Request& request) {
    static const auto etag = make_etag(reference_style());
    co_return document_response(request, reference_style(), etag, "text/css; charset=utf-8");
}

}  // namespace

void add_documentation_routes(http::Router& router, Context& context) {
    using http::Method;
    add_route(router, context, Method::get, "/api/v1/openapi.json", get_document);
    add_route(router, context, Method::get, "/docs", get_page);
    add_route(router, context, Method::get, "/docs/style.css", get_style);
}

}  // namespace posthorn::admin
