#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sstream>

#include "http/access_log.hpp"
#include "http/request_id.hpp"
#include "http/response_text.hpp"
#include "support/catch.hpp"

namespace posthorn::http {
namespace {

std::string text_of(const Response& response, bool head_only = false, bool close = false) {
    std::string text;
    const auto size =
        append_response(text, response, {.request_id = "r1", .head_only = head_only, .close = close});
    CHECK(size == text.size());
    return text;
}

TEST_CASE("an answer carries its length, its type and the request's id") {
    CHECK(text_of(json_response(202, {{"a", 1}})) ==
          "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 7\r\n"
          "X-Request-Id: r1\r\n\r\n{\"a\":1}");
    CHECK(text_of(empty_response(200), false, true) ==
          "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Request-Id: r1\r\nConnection: close\r\n\r\n");
}

TEST_CASE("an answer to HEAD has the fields of GET and no body") {
    CHECK(
        text_of(json_response(200, {{"a", 1}}), true) ==
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\nX-Request-Id: r1\r\n\r\n");
}

TEST_CASE("204 has neither body nor length") {
    auto response = empty_response(204);
    response.body = "forgotten";
    CHECK(text_of(response) == "HTTP/1.1 204 No Content\r\nX-Request-Id: r1\r\n\r\n");
}

TEST_CASE("a handler can neither split an answer nor change its framing") {
    auto response = empty_response(201);
    response.fields.add("Location", "/a\r\nSet-Cookie: x");
    response.fields.add("content-length", "99");
    response.fields.add("Transfer-Encoding", "chunked");
    response.fields.add("CONNECTION", "keep-alive");
    CHECK(text_of(response) ==
          "HTTP/1.1 201 Created\r\nContent-Length: 0\r\nX-Request-Id: r1\r\n"
          "Location: /a  Set-Cookie: x\r\n\r\n");
}

TEST_CASE("a sane request id is taken over, any other replaced") {
    const auto chosen = [](std::string id) {
        Fields fields;
        fields.add("x-request-id", std::move(id));
        return choose_request_id(fields);
    };
    CHECK(chosen("aZ09._-") == "aZ09._-");
    CHECK(chosen(std::string(64, 'a')) == std::string(64, 'a'));
    for (const auto& id :
         {std::string(65, 'a'), std::string(), std::string("a b"), std::string("a\xC3\xA4")}) {
        const auto made = chosen(id);
        CHECK(made != id);
        CHECK(made.size() == 16);
    }
    CHECK(choose_request_id({}) != choose_request_id({}));
}

TEST_CASE("the access log names query parameters without their values and escapes control characters") {
    Request request;
    request.method = Method::post;
    request.path = "/a";
    request.query = {{"token", "secret"}, {"b\n c", "x"}};
    request.id = "r1";
    request.peer = "127.0.0.1";
    CHECK(access_line({.request = request,
                       .status = 202,
                       .duration = std::chrono::microseconds(1500),
                       .bytes_in = 10,
                       .bytes_out = 20}) ==
          "POST /a?token&b\\x0a\\x20c status=202 ms=1.50 in=10 out=20 id=r1 peer=127.0.0.1");
    request.path.clear();
    request.query.clear();
    CHECK_THAT(
        access_line({.request = request, .status = 400, .duration = {}, .bytes_in = 0, .bytes_out = 0}),
        posthorn::test::contains("- - status=400"));
}

TEST_CASE("a line of the access log is no format string") {
    std::ostringstream written;
    const auto usual = spdlog::default_logger();
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_st>(written);
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("captured", std::move(sink)));
    Request request;
    request.path = "/{}{0}{broken";
    log_access({.request = request, .status = 404, .duration = {}, .bytes_in = 0, .bytes_out = 0});
    spdlog::set_default_logger(usual);
    CHECK_THAT(written.str(), posthorn::test::contains("GET /{}{0}{broken status=404"));
}

}  // namespace
}  // namespace posthorn::http
