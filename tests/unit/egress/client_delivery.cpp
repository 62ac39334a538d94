#include <cstdlib>

#include "client_fixture.hpp"
#include "support/scripted_server.hpp"

using namespace posthorn::egress;
using namespace posthorn::egress::test;
using posthorn::test::contains;

TEST_CASE("a request goes out byte for byte, with no header that nobody asked for") {
    ScriptedServer server(answer_all);
    ClientFixture fixture;
    auto request = request_to(server.url(), std::string("{\"b\": 10.50, \"a\":\"\\u0000\"}\0\xff", 27));
    request.headers = {{"Content-Type", "application/json"}, {"webhook-id", "msg_1"}, {"x-empty", ""}};
    const auto result = fixture.post(request);
    CHECK(result.failure == Failure::none);
    CHECK(result.status == 200);
    CHECK(result.first_byte_sent);
    CHECK_FALSE(result.connection_reused);
    CHECK(result.detail.empty());
    CHECK(server.received() == "POST /hook HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
                                   "\r\nUser-Agent: Posthorn/test\r\nContent-Type: application/json\r\n"
                                   "webhook-id: msg_1\r\nx-empty:\r\nContent-Length: 27\r\n\r\n" +
                                   *request.body);
}

TEST_CASE("a body of any size is delivered whole") {
    ScriptedServer server(answer_all);
    ClientFixture fixture;
    const auto size = GENERATE(as<std::size_t>(), 0, 1, 65'536, 3'000'000);
    const auto result = fixture.post(request_to(server.url(), std::string(size, 'x')));
    CHECK(result.failure == Failure::none);
    const auto received = server.received();
    const auto head_end = received.find("\r\n\r\n");
    REQUIRE(head_end != std::string::npos);
    CHECK(received.substr(head_end + 4) == std::string(size, 'x'));
    CHECK(received.find("Expect") == std::string::npos);
    CHECK(received.find("Content-Type") == std::string::npos);
}

TEST_CASE("a header that could end its line early is not sent") {
    ScriptedServer server(answer_all);
    ClientFixture fixture;
    auto request = request_to(server.url());
    const auto header =
        GENERATE(as<std::pair<std::string, std::string>>(), std::pair("x", "a\r\nInjected: 1"),
                 std::pair("x", std::string("a\0b", 3)), std::pair("x\r\nInjected", "1"), std::pair("", "1"),
                 std::pair("x:y", "1"), std::pair("x y", "1"));
    request.headers = {header};
    const auto result = fixture.post(request);
    CHECK(result.failure == Failure::protocol);
    CHECK_FALSE(result.first_byte_sent);
    CHECK(server.connections() == 0);
}

TEST_CASE("a connection is kept and reused") {
    ScriptedServer server(answer_all);
    ClientFixture fixture;
    CHECK_FALSE(fixture.post(request_to(server.url())).connection_reused);
    CHECK(fixture.post(request_to(server.url())).connection_reused);
    CHECK(fixture.post(request_to(server.url())).connection_reused);
    CHECK(server.connections() == 1);
}

TEST_CASE("many requests at once all get their own answer") {
    ScriptedServer server([](Peer& peer) {
        while (peer.read_request()) {
            const auto received = peer.received();
            if (!peer.answer("200 OK", received.substr(received.rfind("\r\n\r\n") + 4))) return;
        }
    });
    ClientFixture fixture;
    for (int round = 0; round < 3; ++round) {
        std::vector<std::shared_ptr<Started>> all;
        for (int i = 0; i < 50; ++i)
            all.push_back(fixture.start(request_to(server.url(), std::to_string(i))));
        CHECK(fixture.client->in_flight() == 0);
        for (std::size_t i = 0; i < all.size(); ++i) CHECK(fixture.finish(all[i]).body == std::to_string(i));
        CHECK(fixture.client->in_flight() == 0);
    }
    CHECK(server.connections() <= 50);
}

TEST_CASE("the loop has no work left when nothing is in flight") {
    ScriptedServer server(answer_all);
    ClientFixture fixture;
    const auto started = fixture.start(request_to(server.url()));
    fixture.loop.restart();
    fixture.loop.run_for(20s);
    CHECK(started->ended());
    CHECK(fixture.loop.stopped());
}

TEST_CASE("no proxy of the environment is used") {
    setenv("http_proxy", "http://127.0.0.1:1/", 1);  // NOLINT(concurrency-mt-unsafe): no other thread yet
    setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);   // NOLINT(concurrency-mt-unsafe)
    {
        ScriptedServer server(answer_all);
        ClientFixture fixture;
        CHECK(fixture.post(request_to(server.url())).failure == Failure::none);
    }
    unsetenv("http_proxy");  // NOLINT(concurrency-mt-unsafe)
    unsetenv("ALL_PROXY");   // NOLINT(concurrency-mt-unsafe)
}

TEST_CASE("a redirect is an answer and is not followed") {
    ScriptedServer server([](Peer& peer) {
        while (peer.read_request()) peer.answer("302 Found\r\nLocation: /elsewhere");
    });
    ClientFixture fixture;
    const auto result = fixture.post(request_to(server.url()));
    CHECK(result.failure == Failure::none);
    CHECK(result.status == 302);
    CHECK(server.received().find("elsewhere") == std::string::npos);
    CHECK(server.connections() == 1);
}

TEST_CASE("Retry-After and webhook-delivery come from the final answer's headers alone") {
    ScriptedServer server([](Peer& peer) {
        peer.read_request();
        peer.send("HTTP/1.1 103 Early Hints\r\nRetry-After: 7\r\nwebhook-delivery: disable\r\n\r\n");
        peer.send("HTTP/1.1 503 Busy\r\nRETRY-AFTER:  120 \r\nTransfer-Encoding: chunked\r\n\r\n");
        peer.send("3\r\nabc\r\n0\r\nwebhook-delivery: disable\r\n\r\n");
    });
    ClientFixture fixture;
    const auto result = fixture.post(request_to(server.url()));
    CHECK(result.failure == Failure::none);
    CHECK(result.status == 503);
    CHECK(result.retry_after == "120");
    CHECK(result.webhook_delivery.empty());
    CHECK(result.body == "abc");
}

TEST_CASE("an answer's body is kept as it came, compressed or not") {
    const std::string bytes("\x1f\x8b\0\xff not gzip", 14);
    ScriptedServer server([&](Peer& peer) {
        peer.read_request();
        peer.answer("200 OK\r\nContent-Encoding: gzip\r\nwebhook-delivery: abort-message", bytes);
    });
    ClientFixture fixture;
    const auto result = fixture.post(request_to(server.url()));
    CHECK(result.failure == Failure::none);
    CHECK(result.body == bytes);
    CHECK(result.webhook_delivery == "abort-message");
}

TEST_CASE("of a long body only the limit is kept, of an endless one only the limit is read") {
    ClientOptions options;
    options.response_keep_limit_bytes = 1000;
    options.response_read_limit_bytes = 50'000;
    ClientFixture fixture("127.0.0.0/8", options);
    SECTION("read to its end") {
        ScriptedServer server([](Peer& peer) {
            while (peer.read_request()) peer.answer("200 OK", std::string(50'000, 'y'));
        });
        const auto result = fixture.post(request_to(server.url()));
        CHECK(result.failure == Failure::none);
        CHECK(result.body == std::string(1000, 'y'));
        CHECK(result.detail.empty());
        CHECK(fixture.post(request_to(server.url())).connection_reused);
    }
    SECTION("endless") {
        ScriptedServer server([](Peer& peer) {
            peer.read_request();
            peer.send("HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n");
            while (peer.send("1000\r\n" + std::string(4096, 'y') + "\r\n")) {
            }
        });
        const auto result = fixture.post(request_to(server.url()));
        CHECK(result.failure == Failure::none);
        CHECK(result.status == 202);
        CHECK(result.body == std::string(1000, 'y'));
        CHECK_THAT(result.detail, contains("not read to its end"));
    }
}

TEST_CASE(
    "a reused connection that ends without an answer: the request is sent once more, after asking again") {
    ScriptedServer server([](Peer& peer) {
        if (peer.number() > 0) return answer_all(peer);
        peer.read_request();
        peer.answer("200 OK");
        peer.read_request();
    });
    ClientFixture fixture;
    REQUIRE(fixture.post(request_to(server.url())).failure == Failure::none);
    int asked = 0;
    auto request = request_to(server.url());
    bool again = true;
    request.may_start = [&] { return ++asked == 1 || again; };
    SECTION("allowed") {
        CHECK(fixture.post(request).failure == Failure::none);
        CHECK(server.connections() == 2);
    }
    SECTION("no longer allowed: it was started, and is not sent again") {
        again = false;
        const auto result = fixture.post(request);
        CHECK(result.failure == Failure::aborted);
        CHECK(result.first_byte_sent);
        CHECK(server.received(1).empty());
    }
    CHECK(asked == 2);
}

TEST_CASE("a request is never sent more than twice") {
    ScriptedServer server([](Peer& peer) {
        peer.read_request();
        peer.answer("200 OK");
        peer.read_request();
    });
    ClientFixture fixture;
    std::vector<std::shared_ptr<Started>> warm_up;
    for (int i = 0; i < 4; ++i) warm_up.push_back(fixture.start(request_to(server.url())));
    for (const auto& started : warm_up) REQUIRE(fixture.finish(started).failure == Failure::none);
    REQUIRE(server.connections() == 4);
    int asked = 0;
    auto request = request_to(server.url());
    request.may_start = [&] { return ++asked > 0; };
    const auto result = fixture.post(request);
    CHECK(result.failure == Failure::protocol);
    CHECK(asked == 2);
    CHECK_THAT(result.detail, contains("twice"));
}
