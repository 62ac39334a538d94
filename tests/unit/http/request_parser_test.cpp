#include "http/request_parser.hpp"

#include <cstring>
#include <optional>
#include <string>

#include "support/catch.hpp"

namespace posthorn::http {
namespace {

constexpr std::size_t head_limit = 16 * 1024;
constexpr std::size_t body_limit = 1024;

// A parser and its input, fed by the test.
struct Feed {
    InputBuffer input{64 * 1024};
    RequestParser parser{head_limit, body_limit};

    void add(std::string_view bytes) {
        while (!bytes.empty()) {
            const auto space = input.prepare();
            const auto count = std::min(space.size(), bytes.size());
            std::memcpy(space.data(), bytes.data(), count);
            input.commit(count);
            bytes.remove_prefix(count);
        }
    }
    std::optional<RequestParser::Result> next() {
        if (parser.advance(input) == RequestParser::Step::need_more) return std::nullopt;
        return parser.take();
    }
};

Request parsed(std::string_view bytes) {
    Feed feed;
    feed.add(bytes);
    auto result = feed.next();
    REQUIRE(result.has_value());
    CHECK(result->bytes == bytes.size());
    return std::move(result->request);
}

// The status a request is refused with; 0 if it isn't.
int refused_with(std::string_view bytes) {
    Feed feed;
    try {
        feed.add(bytes);
        feed.next();
        return 0;
    } catch (const Problem& problem) {
        CHECK_FALSE(problem.detail.empty());
        return problem.status;
    }
}

const std::string crlf = "\r\n";

std::string with_fields(const std::string& fields) {
    return "POST /x HTTP/1.1\r\nHost: a\r\n" + fields + crlf;
}

TEST_CASE("a request is found with its method, target, fields and body") {
    const auto request = parsed(
        "POST /api/v1/app/?tag=a+b&tag=%C3%A4&flag HTTP/1.1\r\nHost: a:80\r\nX-One:  1 \r\n"
        "Content-Length: 5\r\n\r\nhello");
    CHECK(request.method == Method::post);
    CHECK(request.path == "/api/v1/app/");
    REQUIRE(request.query.size() == 3);
    CHECK(request.query[0].second == "a b");
    CHECK(request.query[1].second == "\xC3\xA4");
    CHECK(request.query[2].first == "flag");
    CHECK(request.query_value("tag") == "a b");
    CHECK_FALSE(request.query_value("other").has_value());
    REQUIRE(request.fields.find("x-one") != nullptr);
    CHECK(*request.fields.find("x-one") == "1");
    CHECK(request.body == "hello");
}

TEST_CASE("how the bytes are cut makes no difference") {
    const std::string bytes =
        "\r\nPOST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3;name=\"v\"\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n"
        "GET /b HTTP/1.1\r\nHost: a\r\n\r\n"
        "PUT /c HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n1234"
        "POST /d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        "POST /e HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n";
    const auto piece = GENERATE(std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7},
                                std::size_t{50}, std::size_t{1000});
    Feed feed;
    std::vector<Request> requests;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        feed.add(std::string_view(bytes).substr(at, piece));
        while (auto result = feed.next()) requests.push_back(std::move(result->request));
    }
    REQUIRE(requests.size() == 5);
    CHECK(requests[0].body == "abcde");
    CHECK(requests[0].fields.find("Trailer") == nullptr);
    CHECK(requests[1].path == "/b");
    CHECK(requests[2].body == "1234");
    CHECK(requests[3].path == "/d");
    CHECK(requests[4].path == "/e");
    CHECK(requests[4].body.empty());
    CHECK(feed.parser.phase(feed.input) == RequestParser::Phase::idle);
}

TEST_CASE("the phase tells what is waited for") {
    Feed feed;
    CHECK(feed.parser.phase(feed.input) == RequestParser::Phase::idle);
    feed.add("POST /a HT");
    CHECK_FALSE(feed.next());
    CHECK(feed.parser.phase(feed.input) == RequestParser::Phase::head);
    feed.add("TP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n");
    CHECK_FALSE(feed.next());
    CHECK(feed.parser.phase(feed.input) == RequestParser::Phase::body);
}

TEST_CASE("requests whose end could be read in two ways are refused") {
    const auto refused = GENERATE(
        as<std::string>{}, "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: 3, 3\r\n", "Content-Length: +3\r\n", "Content-Length: -3\r\n",
        "Content-Length: 0x3\r\n", "Content-Length: \r\n", "Content-Length: 99999999999999999999999\r\n",
        "Transfer-Encoding: gzip\r\n", "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, gzip\r\n", "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding:\x0b"
        "chunked\r\n",
        "Transfer-Encoding : chunked\r\n", "Content-Length : 3\r\n", "Content Length: 3\r\n",
        " Content-Length: 3\r\n", "X: a\r\n\tb\r\n", "X: a\r\n b\r\n", "X: a\rb\r\n",
        "X: a\nContent-Length: 3\r\n", "X: a\r\r\n", ": a\r\n", "no colon\r\n", "X\x01: a\r\n");
    INFO(refused);
    CHECK(refused_with(with_fields(refused)) == 400);
}

TEST_CASE("a NUL in a header is refused") {
    CHECK(refused_with(with_fields(std::string("X: a\0b\r\n", 8))) == 400);
    CHECK(refused_with(with_fields(std::string("X\0: a\r\n", 7))) == 400);
    CHECK(refused_with(std::string("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 28)) == 400);
}

TEST_CASE("the same Content-Length twice is one") {
    CHECK(parsed(with_fields("Content-Length: 2\r\nContent-Length: 2\r\n") + "ab").body == "ab");
}

TEST_CASE("a broken chunk is refused") {
    const auto chunks =
        GENERATE(as<std::string>{}, "x\r\n", "3\r\nabcd\r\n", "3\nabc\r\n", "-1\r\n", "0x3\r\nabc\r\n",
                 "3 \r\nabc\r\n", "fffffffffffffffff\r\n", "\r\n", "0\r\nContent-Length: 3\r\n\r\n",
                 "0\r\nbroken\r\n\r\n", "3;a\n\r\nabc\r\n", "3;a\rb\r\nabc\r\n", "3;a=\"\n\"\r\nabc\r\n",
                 "3;\r\nabc\r\n", "3\r\nabc\n\n", "3\r\nabc0\r\n", "3\rabc\r\n", "0\r\nX: a\n\r\n", "0\n\n");
    INFO(chunks);
    CHECK(refused_with(with_fields("Transfer-Encoding: chunked\r\n") + chunks + "0\r\n\r\n") == 400);
}

TEST_CASE("HTTP/1.1 needs exactly one Host") {
    CHECK(refused_with("GET / HTTP/1.1\r\n\r\n") == 400);
    CHECK(refused_with("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n") == 400);
    CHECK(refused_with("GET / HTTP/1.1\r\nHost: a b\r\n\r\n") == 400);
    CHECK(refused_with("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n") == 400);
    CHECK(refused_with("GET / HTTP/1.0\r\n\r\n") == 0);
    CHECK(refused_with("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n") == 400);
    CHECK(refused_with("GET / HTTP/1.1\r\nHost: [::1]:8071\r\n\r\n") == 0);
}

TEST_CASE("other protocols are refused as soon as they show") {
    CHECK(refused_with("GET /\r\n") == 400);
    CHECK(refused_with("GET / HTTP/0.9\r\n") == 505);
    CHECK(refused_with("GET / HTTP/1.2\r\n") == 505);
    CHECK(refused_with("GET / http/1.1\r\n") == 400);
    CHECK(refused_with("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == 505);
    CHECK(refused_with("\x16\x03\x01\x02") == 400);
    CHECK(refused_with("GET / HTTP/1.1\nHost: a\n\n") == 400);
    CHECK(refused_with("GET  / HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
    CHECK(refused_with("GET / HTTP/1.1 \r\nHost: a\r\n\r\n") == 400);
}

TEST_CASE("targets come as a path, as an absolute URL of http, or as * for OPTIONS") {
    const auto path_of = [](const std::string& line) {
        return parsed(line + " HTTP/1.1\r\nHost: a\r\n\r\n").path;
    };
    CHECK(path_of("GET http://example.com/a?b=c") == "/a");
    CHECK(path_of("GET HTTPS://example.com") == "/");
    CHECK(path_of("GET http://example.com?b=c") == "/");
    CHECK(path_of("OPTIONS *") == "*");
    CHECK(path_of("GET /a%2Fb") == "/a%2Fb");
    for (const auto* line : {"GET ftp://example.com/a", "GET *", "GET a", "CONNECT a:80", "GET /a#b",
                             "GET http:///a", "GET /\x7f", "GET /\xC3\xA4"}) {
        INFO(line);
        CHECK(refused_with(std::string(line) + " HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
    }
}

TEST_CASE("a query has at most 100 parameters, each decodable") {
    const auto with_query = [](const std::string& query) {
        return "GET /?" + query + " HTTP/1.1\r\nHost: a\r\n\r\n";
    };
    std::string query = "a=1";
    for (std::size_t i = 1; i < 100; ++i) query += "&a=1";
    CHECK(parsed(with_query(query)).query.size() == 100);
    CHECK(refused_with(with_query(query + "&a=1")) == 400);
    CHECK(refused_with(with_query("a=%")) == 400);
    CHECK(refused_with(with_query("%zz=a")) == 400);
    CHECK(refused_with(with_query("a=%00")) == 400);
    CHECK(refused_with(with_query("a=%FF")) == 400);
    CHECK(parsed(with_query("&&a==b&")).query.size() == 1);
    CHECK(parsed(with_query("a==b")).query[0].second == "=b");
}

TEST_CASE("the target is limited to 8 KiB") {
    const auto with_target = [](std::size_t size) {
        return "GET /" + std::string(size - 1, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n";
    };
    CHECK(refused_with(with_target(target_limit_bytes)) == 0);
    CHECK(refused_with(with_target(target_limit_bytes + 1)) == 414);
    CHECK(refused_with("GET /" + std::string(target_limit_bytes + 100, 'a')) == 414);
}

TEST_CASE("the header is limited in fields and in bytes") {
    std::string fields;
    for (std::size_t i = 1; i < field_limit; ++i) fields += "X: a\r\n";  // the Host is one more
    CHECK(refused_with(with_fields(fields)) == 0);
    CHECK(refused_with(with_fields(fields + "X: a\r\n")) == 431);

    const auto frame = with_fields("X: \r\n").size();
    CHECK(refused_with(with_fields("X: " + std::string(head_limit - frame, 'a') + crlf)) == 0);
    CHECK(refused_with(with_fields("X: " + std::string(head_limit - frame + 1, 'a') + crlf)) == 431);
    CHECK(refused_with("GET / HTTP/1.1\r\nX: " + std::string(head_limit, 'a')) == 431);
}

// As refused_with, but byte by byte.
int refused_in_pieces_with(std::string_view bytes) {
    Feed feed;
    try {
        for (const char byte : bytes) {
            feed.add({&byte, 1});
            feed.next();
        }
        return 0;
    } catch (const Problem& problem) {
        return problem.status;
    }
}

TEST_CASE("what is too long and wrong besides is refused alike, however it arrives") {
    const std::string long_line = "X: " + std::string(head_limit, 'a');
    const std::string long_method = std::string(target_limit_bytes + 100, 'A');
    for (const auto& [bytes, status] : {std::pair{"GET / HTTP/1.1\r\n" + long_line + "\n", 431},
                                        std::pair{"GET / HTTP/1.1\r\n " + long_line + "\r\n", 431},
                                        std::pair{long_method + " / HTTP/1.1\r\nHost: a\r\n\r\n", 414},
                                        std::pair{"GET /" + long_method + " HTTP/9\r\n", 414}}) {
        INFO(bytes.substr(0, 20));
        CHECK(refused_with(bytes) == status);
        CHECK(refused_in_pieces_with(bytes) == status);
    }
}

TEST_CASE("the body is limited, by its stated length before it comes, in chunks as it comes") {
    CHECK(refused_with(with_fields("Content-Length: 1024\r\n")) == 0);
    CHECK(refused_with(with_fields("Content-Length: 1025\r\n")) == 413);
    const std::string chunked = "Transfer-Encoding: chunked\r\n";
    const std::string half = "200\r\n" + std::string(512, 'a') + crlf;
    CHECK(refused_with(with_fields(chunked) + half + half + "0\r\n\r\n") == 0);
    CHECK(refused_with(with_fields(chunked) + half + half + "1\r\n") == 413);
    CHECK(refused_with(with_fields(chunked) + "401\r\n") == 413);
}

TEST_CASE("chunk extensions and trailers without end are refused") {
    const std::string chunked = with_fields("Transfer-Encoding: chunked\r\n");
    CHECK(refused_with(chunked + "1;" + std::string(head_limit, 'a')) == 431);
    CHECK(refused_with(chunked + "0\r\nX: " + std::string(head_limit, 'a')) == 431);
}

TEST_CASE("an expectation of 100 Continue is told once, in HTTP/1.1") {
    const std::string fields = "Host: a\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n";
    Feed feed;
    feed.add("POST / HTTP/1.1\r\n" + fields);
    CHECK_FALSE(feed.next());
    CHECK(feed.parser.take_expectation());
    CHECK_FALSE(feed.parser.take_expectation());
    Feed old;
    old.add("POST / HTTP/1.0\r\n" + fields);
    CHECK_FALSE(old.next());
    CHECK_FALSE(old.parser.take_expectation());
}

TEST_CASE("a connection is kept in HTTP/1.1 unless the client says close, never in HTTP/1.0") {
    const auto is_kept = [](const std::string& head) {
        Feed feed;
        feed.add("GET / " + head + crlf);
        return feed.next().value().keep_alive;
    };
    CHECK(is_kept("HTTP/1.1\r\nHost: a\r\n"));
    CHECK_FALSE(is_kept("HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n"));
    CHECK_FALSE(is_kept("HTTP/1.0\r\n"));
    CHECK_FALSE(is_kept("HTTP/1.0\r\nConnection: keep-alive\r\n"));
}

}  // namespace
}  // namespace posthorn::http
