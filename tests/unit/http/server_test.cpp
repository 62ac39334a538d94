#include "http/server.hpp"

#include <boost/json.hpp>
#include <boost/system/system_error.hpp>

#include "running_server.hpp"
#include "support/catch.hpp"

namespace posthorn::http::test {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

std::string code_of(const Answer& answer) {
    return std::string(json::parse(answer.body).at("code").as_string());
}

TEST_CASE("a connection serves one request after the other") {
    RunningServer server;
    auto client = server.connect();
    for (int i = 0; i < 10; ++i) {
        const auto body = "body " + std::to_string(i);
        const auto answer = client.exchange(post("/echo", body, "X-Request-Id: mine\r\n"));
        CHECK(answer.status == 200);
        CHECK(answer.body == body);
        CHECK(answer.field("X-Request-Id") == "mine");
        CHECK(answer.field("Content-Type") == "text/plain");
        CHECK_FALSE(answer.closes());
    }
}

TEST_CASE("errors are JSON problems with a request id, and the connection goes on") {
    RunningServer server;
    auto client = server.connect();
    const auto unknown = client.exchange(get("/unknown"));
    CHECK(unknown.status == 404);
    CHECK(unknown.field("Content-Type") == "application/json");
    CHECK_FALSE(unknown.field("X-Request-Id").empty());
    const auto failed = client.exchange(get("/throws"));
    CHECK(failed.status == 500);
    CHECK(code_of(failed) == "internal_error");
    CHECK(failed.body.find("secret") == std::string::npos);
    CHECK(client.exchange(get("/app/a%20b")).body == "a b");
}

TEST_CASE("many pipelined requests in one segment are answered in order") {
    RunningServer server;
    auto client = server.connect();
    constexpr int count = 200;
    std::string requests;
    for (int i = 0; i < count; ++i) requests += post("/echo", std::to_string(i));
    client.send(requests);
    for (int i = 0; i < count; ++i) REQUIRE(client.receive().body == std::to_string(i));
}

TEST_CASE("pipelined requests sent byte by byte are answered in order") {
    RunningServer server;
    auto client = server.connect();
    std::string requests;
    for (int i = 0; i < 5; ++i) requests += post("/echo", std::to_string(i));
    client.send_byte_by_byte(requests);
    for (int i = 0; i < 5; ++i) REQUIRE(client.receive().body == std::to_string(i));
}

TEST_CASE("pipelined requests run side by side, and their answers keep the order") {
    RunningServer server;
    auto client = server.connect();
    std::string requests = get("/hello");
    for (int i = 0; i < 10; ++i) requests += post("/gated", std::to_string(i));
    client.send(requests + get("/hello"));
    server.wait_for_waiting(10);
    CHECK(client.receive().body == "hello");  // not held back by those that wait
    server.open_gate();
    for (int i = 0; i < 10; ++i) CHECK(client.receive().body == std::to_string(i));
    CHECK(client.receive().body == "hello");
}

TEST_CASE("answers larger than the socket takes at once arrive whole") {
    RunningServer server;
    auto client = server.connect();
    client.send(get("/large") + get("/large") + get("/hello"));
    for (int i = 0; i < 2; ++i) {
        const auto answer = client.receive();
        CHECK(answer.body.size() == 8u << 20);
    }
    CHECK(client.receive().body == "hello");
}

TEST_CASE("a body up to the limit is taken, by length and in chunks") {
    RunningServer server;
    auto client = server.connect();
    const std::string body(1024 * 1024, 'b');
    CHECK(client.exchange(post("/echo", body)).body == body);
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n");
    client.send(body);
    client.send("\r\n0\r\n\r\n");
    CHECK(client.receive().body == body);
}

TEST_CASE("a client that waits for 100 Continue is told to go on") {
    RunningServer server;
    auto client = server.connect();
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    CHECK(client.receive_line() == "HTTP/1.1 100 Continue");
    CHECK(client.receive_line().empty());
    client.send("ab");
    CHECK(client.receive().body == "ab");
}

TEST_CASE("HEAD gets the fields of GET without the body") {
    RunningServer server;
    auto client = server.connect();
    client.send("HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n" + get("/hello"));
    const auto answer = client.receive(Body::none);
    CHECK(answer.status == 200);
    CHECK(answer.field("Content-Length") == "5");
    CHECK(client.receive().body == "hello");
}

TEST_CASE("HTTP/1.0 is answered and closed") {
    RunningServer server;
    auto client = server.connect();
    const auto answer = client.exchange("GET /hello HTTP/1.0\r\n\r\n");
    CHECK(answer.body == "hello");
    CHECK(answer.closes());
    CHECK(client.is_closed());
}

TEST_CASE("Connection: close is honoured, and what was pipelined behind it is not run") {
    RunningServer server;
    auto client = server.connect();
    client.send(get("/hello") + get("/hello", "Connection: close\r\n") + get("/hello"));
    CHECK_FALSE(client.receive().closes());
    CHECK(client.receive().closes());
    CHECK(client.is_closed());
}

TEST_CASE("a client that has sent all it will still gets its answers") {
    RunningServer server;
    auto client = server.connect();
    client.send(get("/hello") + get("/hello"));
    client.finish_sending();
    CHECK(client.receive().status == 200);
    CHECK(client.receive().status == 200);
    CHECK(client.is_closed());
}

TEST_CASE("a request that must not be served is answered after those before it, and the connection ends") {
    RunningServer server;
    auto client = server.connect();
    client.send(get("/hello") + "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nX-Request-Id: mine\r\n\r\n" +
                get("/hello"));
    CHECK(client.receive().body == "hello");
    const auto refused = client.receive();
    CHECK(refused.status == 400);
    CHECK(code_of(refused) == "bad_request");
    CHECK_FALSE(refused.field("X-Request-Id").empty());
    CHECK(refused.closes());
    CHECK(client.is_closed());
}

TEST_CASE("what looks like a second request inside a doubtful body is never run") {
    RunningServer server;
    auto client = server.connect();
    client.send(
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        "0\r\n\r\n" +
        get("/hello"));
    CHECK(client.receive().status == 400);
    CHECK(client.is_closed());
}

TEST_CASE("a loop finds its port taken, and loops that share it do not") {
    boost::asio::io_context context;
    const auto router = std::make_shared<const Router>();
    ServerOptions options;
    options.listen = {boost::asio::ip::address_v4::loopback(), 0};
    options.reuse_port = true;
    Server first(options, router);
    first.open(context.get_executor());
    options.listen = first.local_endpoint();
    Server second(options, router);
    second.open(context.get_executor());
    CHECK(second.local_endpoint() == first.local_endpoint());

    options.reuse_port = false;
    Server foreign(options, router);
    try {
        foreign.open(context.get_executor());
        FAIL("the port was given twice");
    } catch (const boost::system::system_error& error) {
        CHECK(error.code() == boost::asio::error::address_in_use);
        CHECK_THAT(error.what(), posthorn::test::contains(std::to_string(options.listen.port())));
    }
    CHECK_THROWS_AS(ensure_port_is_free(options.listen), boost::system::system_error);
}

TEST_CASE("a port is free again after its server") {
    boost::asio::ip::tcp::endpoint endpoint;
    {
        RunningServer server;
        endpoint = {boost::asio::ip::address_v4::loopback(), server.port()};
        CHECK(server.connect().exchange(get("/hello")).status == 200);
    }
    CHECK_NOTHROW(ensure_port_is_free(endpoint));
}

}  // namespace
}  // namespace posthorn::http::test
