#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <system_error>

#include "running_server.hpp"
#include "support/catch.hpp"

namespace posthorn::http::test {
namespace {

using namespace std::chrono_literals;

TEST_CASE("at a stop idle connections end at once and new ones are refused") {
    RunningServer server;
    auto fresh = server.connect();
    auto used = server.connect();
    CHECK(used.exchange(get("/hello")).status == 200);
    server.stop(60s);
    CHECK(fresh.is_closed());
    CHECK(used.is_closed());
    CHECK(server.ends_within(5s));
    CHECK_THROWS_AS(server.connect(), std::system_error);
}

TEST_CASE("at a stop the requests that were read are answered, the last with Connection: close") {
    RunningServer server;
    auto single = server.connect();
    auto pipelined = server.connect();
    single.send(post("/gated", "one"));
    pipelined.send(post("/gated", "two") + post("/gated", "three"));
    server.wait_for_waiting(3);
    server.stop(60s);
    CHECK_FALSE(server.ends_within(50ms));
    server.open_gate();
    const auto one = single.receive();
    CHECK(one.body == "one");
    CHECK(one.closes());
    const auto two = pipelined.receive();
    CHECK(two.body == "two");
    CHECK_FALSE(two.closes());
    const auto three = pipelined.receive();
    CHECK(three.body == "three");
    CHECK(three.closes());
    CHECK(single.is_closed());
    CHECK(pipelined.is_closed());
    CHECK(server.ends_within(5s));
}

TEST_CASE("at a stop a request that has begun to arrive is still read and answered") {
    RunningServer server;
    auto client = server.connect();
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    CHECK(client.receive_line() == "HTTP/1.1 100 Continue");  // its header was read
    CHECK(client.receive_line().empty());
    server.stop(60s);
    CHECK_FALSE(server.ends_within(50ms));
    client.send("late");
    const auto answer = client.receive();
    CHECK(answer.body == "late");
    CHECK(answer.closes());
    CHECK(server.ends_within(5s));
}

TEST_CASE("what is not done when the grace is over is cut, its handlers are cancelled and joined") {
    RunningServer server;
    auto single = server.connect();
    auto pipelined = server.connect();
    single.send(post("/gated", "one"));
    pipelined.send(post("/gated", "two") + post("/gated", "three"));
    server.wait_for_waiting(3);
    server.stop(50ms);
    CHECK(server.ends_within(5s));
    CHECK(server.gate().cancelled == 3);
    CHECK(single.is_closed());
    CHECK(pipelined.is_closed());
}

TEST_CASE("a cancelled server ends, its handlers too") {
    RunningServer server;
    auto client = server.connect();
    auto idle = server.connect();
    client.send(post("/gated", "one"));
    server.wait_for_waiting(1);
    server.cancel();
    CHECK(server.ends_within(5s));
    CHECK(server.gate().cancelled == 1);
    CHECK(client.is_closed());
    CHECK(idle.is_closed());
}

TEST_CASE("a server may be destroyed while handlers hang in a loop that no longer runs") {
    boost::asio::io_context context;
    Gate gate(context);
    auto router = std::make_shared<Router>();
    router->add(Method::post, "/gated", [&gate](Request& request) -> boost::asio::awaitable<Response> {
        co_await gate.pass();
        Response response;
        response.body = request.body;
        co_return response;
    });
    Server server({.listen = {boost::asio::ip::address_v4::loopback(), 0}, .access_log = false}, router);
    server.open(context.get_executor());
    boost::asio::co_spawn(context, server.run(), [](std::exception_ptr) {});
    TestClient single(server.local_endpoint().port());
    TestClient pipelined(server.local_endpoint().port());
    single.send(post("/gated", "one"));
    pipelined.send(post("/gated", "two") + post("/gated", "three"));
    while (gate.waiting < 3) REQUIRE(context.run_one_for(5s) == 1);
}

}  // namespace
}  // namespace posthorn::http::test
