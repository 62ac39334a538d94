#include "http/router.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <optional>
#include <stdexcept>

#include "support/catch.hpp"

namespace posthorn::http {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

Handler answers(std::string body) {
    return [body](Request&) -> asio::awaitable<Response> {
        Response response;
        response.body = body;
        co_return response;
    };
}

Response dispatch(const Router& router, Method method, std::string path) {
    Request request;
    request.method = method;
    request.path = std::move(path);
    request.id = "request-7";
    asio::io_context context;
    std::optional<Response> response;
    asio::co_spawn(context, router.dispatch(request), [&](std::exception_ptr failure, Response answer) {
        if (failure) std::rethrow_exception(failure);
        response = std::move(answer);
    });
    context.run();
    return response.value();
}

std::string code_of(const Response& response) {
    return std::string(json::parse(response.body).at("code").as_string());
}

Request matched(const Router& router, std::string path) {
    Request request;
    request.path = std::move(path);
    router.match(request);
    return request;
}

TEST_CASE("a path matches its pattern with and without a trailing slash") {
    Router router;
    router.add(Method::get, "/api/v1/app", answers("list"));
    router.add(Method::get, "/", answers("root"));
    CHECK(dispatch(router, Method::get, "/api/v1/app").body == "list");
    CHECK(dispatch(router, Method::get, "/api/v1/app/").body == "list");
    CHECK(dispatch(router, Method::get, "/").body == "root");
    CHECK(dispatch(router, Method::get, "/api/v1").status == 404);
    CHECK(dispatch(router, Method::get, "/api/v1/app//").status == 404);
    CHECK(dispatch(router, Method::get, "//api/v1/app").status == 404);
}

TEST_CASE("parameters are decoded, and an encoded slash stays inside one") {
    Router router;
    router.add(Method::get, "/app/{app_id}/msg/{msg_id}", answers(""));
    const auto request = matched(router, "/app/a%2Fb/msg/x+%C3%A4");
    CHECK(request.parameter("app_id") == "a/b");
    CHECK(request.parameter("msg_id") == "x+\xC3\xA4");
    CHECK_THROWS_AS(request.parameter("other"), std::out_of_range);
}

TEST_CASE("a parameter is never empty") {
    Router router;
    router.add(Method::get, "/app/{app_id}/msg", answers(""));
    CHECK(dispatch(router, Method::get, "/app//msg").status == 404);
}

TEST_CASE("a broken percent-encoding in a path is answered 400") {
    Router router;
    router.add(Method::get, "/app/{app_id}", answers(""));
    for (const auto* path : {"/app/%", "/app/%2", "/app/%zz", "/app/%00", "/app/%ff"}) {
        INFO(path);
        CHECK(dispatch(router, Method::get, path).status == 400);
    }
}

TEST_CASE("a literal segment wins over a parameter, which still gets what the literal can't serve") {
    Router router;
    router.add(Method::get, "/app/{id}", answers("one"));
    router.add(Method::get, "/app/{id}/stats", answers("stats of one"));
    router.add(Method::post, "/app/import", answers("import"));
    router.add(Method::get, "/app/search", answers("search"));
    CHECK(dispatch(router, Method::get, "/app/search").body == "search");
    CHECK(dispatch(router, Method::get, "/app/import").body == "one");
    CHECK(dispatch(router, Method::post, "/app/import").body == "import");
    CHECK(dispatch(router, Method::get, "/app/search/stats").body == "stats of one");
}

TEST_CASE("a known path with another method is answered 405 with what is allowed") {
    Router router;
    router.add(Method::post, "/app/{id}", answers(""));
    router.add(Method::get, "/app/{id}", answers(""));
    const auto response = dispatch(router, Method::del, "/app/1");
    CHECK(response.status == 405);
    REQUIRE(response.fields.find("allow") != nullptr);
    CHECK(*response.fields.find("allow") == "GET, HEAD, POST");
    CHECK(code_of(response) == "method_not_allowed");
    CHECK(dispatch(router, Method::other, "/app/1").status == 405);
}

TEST_CASE("HEAD falls to GET unless it has a route of its own") {
    Router router;
    router.add(Method::get, "/a", answers("get"));
    router.add(Method::get, "/b", answers("get"));
    router.add(Method::head, "/b", answers("head"));
    CHECK(dispatch(router, Method::head, "/a").body == "get");
    CHECK(dispatch(router, Method::head, "/b").body == "head");
}

TEST_CASE("an unknown path is answered 404 as a problem") {
    const auto response = dispatch(Router(), Method::get, "/nothing");
    CHECK(response.status == 404);
    CHECK(response.content_type == "application/json");
    CHECK(code_of(response) == "not_found");
    CHECK_FALSE(json::parse(response.body).at("detail").as_string().empty());
}

TEST_CASE("the same route twice, or a pattern without a slash, is a mistake of the program") {
    Router router;
    router.add(Method::get, "/app/{id}", answers(""));
    CHECK_THROWS_AS(router.add(Method::get, "/app/{name}", answers("")), std::invalid_argument);
    CHECK_THROWS_AS(router.add(Method::get, "app", answers("")), std::invalid_argument);
}

TEST_CASE("problems that a handler throws become its answer") {
    Router router;
    router.add(Method::get, "/limited", [](Request&) -> asio::awaitable<Response> {
        Problem problem{429, "rate_limited", "Slow down."};
        problem.fields.add("Retry-After", "7");
        throw problem;
        co_return Response{};
    });
    router.add(Method::get, "/invalid", [](Request&) -> asio::awaitable<Response> {
        throw ValidationProblem{{{{"body", "url"}, "url must be absolute", "value_error"}}};
        co_return Response{};
    });
    const auto limited = dispatch(router, Method::get, "/limited");
    CHECK(limited.status == 429);
    CHECK(*limited.fields.find("Retry-After") == "7");
    CHECK(limited.body == R"({"code":"rate_limited","detail":"Slow down."})");
    const auto invalid = dispatch(router, Method::get, "/invalid");
    CHECK(invalid.status == 422);
    CHECK(invalid.body ==
          R"({"detail":[{"loc":["body","url"],"msg":"url must be absolute","type":"value_error"}]})");
}

TEST_CASE("an unknown exception is answered 500 with the request's id and nothing of the inside") {
    Router router;
    router.add(Method::get, "/std", [](Request&) -> asio::awaitable<Response> {
        throw std::runtime_error("password=hunter2");
        co_return Response{};
    });
    router.add(Method::get, "/other", [](Request&) -> asio::awaitable<Response> {
        throw 7;
        co_return Response{};
    });
    for (const auto* path : {"/std", "/other"}) {
        const auto response = dispatch(router, Method::get, path);
        CHECK(response.status == 500);
        CHECK(code_of(response) == "internal_error");
        CHECK_THAT(response.body, posthorn::test::contains("request-7"));
        CHECK(response.body.find("hunter2") == std::string::npos);
    }
}

TEST_CASE("translators turn an exception into a problem, the first that knows it") {
    Router router;
    router.add(Method::get, "/lost", [](Request&) -> asio::awaitable<Response> {
        throw std::range_error("database is gone");
        co_return Response{};
    });
    router.add_translator([](const std::exception&) -> std::optional<Problem> { return std::nullopt; });
    router.add_translator([](const std::exception& error) -> std::optional<Problem> {
        if (dynamic_cast<const std::range_error*>(&error) == nullptr) return std::nullopt;
        return Problem{503, "unavailable", "The database can't be reached."};
    });
    router.add_translator([](const std::exception&) -> std::optional<Problem> {
        return Problem{502, "wrong", "Asked too late."};
    });
    CHECK(dispatch(router, Method::get, "/lost").status == 503);
}

}  // namespace
}  // namespace posthorn::http
