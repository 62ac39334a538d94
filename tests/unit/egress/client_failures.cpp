#include "client_fixture.hpp"
#include "egress/outcome.hpp"
#include "support/scripted_server.hpp"

using namespace posthorn::egress;
using namespace posthorn::egress::test;
using posthorn::test::contains;

namespace {

Request with_timeout(Request request, std::chrono::milliseconds timeout) {
    request.timeout = timeout;
    return request;
}

}  // namespace

TEST_CASE("every failure has words for people") {
    for (int i = 0; i <= static_cast<int>(Failure::aborted); ++i)
        CHECK(to_string(static_cast<Failure>(i)) != "unknown");
}

TEST_CASE("one deadline covers the whole request") {
    ScriptedServer server([](Peer& peer) {
        peer.read_request();
        const auto kind = peer.received();
        if (kind.find("silent") != std::string::npos) return peer.wait_for_end();
        if (kind.find("headers") != std::string::npos) {
            peer.send("HTTP/1.1 200 OK\r\n");
            while (peer.send("x: y\r\n")) std::this_thread::sleep_for(5ms);
        }
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
        while (peer.send("y")) std::this_thread::sleep_for(5ms);
    });
    ClientFixture fixture;
    const auto kind = GENERATE(as<std::string>(), "silent", "slow headers", "slow body");
    const auto result = fixture.post(with_timeout(request_to(server.url(), kind), 300ms));
    CHECK(result.failure == Failure::timeout);
    CHECK(result.duration >= 300ms);
    CHECK(result.duration < 5s);
    CHECK(result.first_byte_sent);
    CHECK(result.status == (kind == "slow body" ? 200 : 0));
    CHECK_THAT(result.detail, contains("300 ms"));
    CHECK(fixture.client->in_flight() == 0);
}

TEST_CASE("a connection that is not made in its time is a timeout before the first byte") {
    ClientOptions options;
    options.connect_timeout = 200ms;
    ClientFixture fixture("127.0.0.0/8", options);
    ScriptedServer server([](Peer& peer) { peer.wait_for_end(); });
    auto request = request_to("https://127.0.0.1:" + std::to_string(server.port()) + "/");
    const auto result = fixture.post(request);
    CHECK(result.failure == Failure::timeout);
    CHECK_FALSE(result.first_byte_sent);
    CHECK(result.duration < 5s);
    CHECK_THAT(result.detail, contains("no connection within 200 ms"));
}

TEST_CASE("the time for connecting does not bound the answer") {
    ClientOptions options;
    options.connect_timeout = 100ms;
    ClientFixture fixture("127.0.0.0/8", options);
    ScriptedServer server([](Peer& peer) {
        peer.read_request();
        std::this_thread::sleep_for(300ms);
        peer.answer("200 OK");
    });
    const auto result = fixture.post(request_to(server.url()));
    CHECK(result.failure == Failure::none);
    CHECK(result.duration >= 300ms);
}

TEST_CASE("a refused connection") {
    std::string url;
    {
        url = ScriptedServer(answer_all).url();
    }
    ClientFixture fixture;
    const auto result = fixture.post(request_to(url));
    CHECK(result.failure == Failure::connect);
    CHECK_FALSE(result.first_byte_sent);
    CHECK_FALSE(result.detail.empty());
}

TEST_CASE("headers without end are cut off, of whatever kind") {
    ScriptedServer server([](Peer& peer) {
        peer.read_request();
        const auto kind = peer.received();
        if (kind.find("interim") != std::string::npos)
            while (peer.send("HTTP/1.1 102 Processing\r\n\r\n")) continue;
        peer.send("HTTP/1.1 200 OK\r\n");
        if (kind.find("lines") != std::string::npos)
            while (peer.send("x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n")) continue;
        while (peer.send("yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"))
            continue;
    });
    ClientFixture fixture;
    const auto kind = GENERATE(as<std::string>(), "interim answers", "lines", "one line");
    const auto result = fixture.post(request_to(server.url(), kind));
    CHECK(result.failure == Failure::protocol);
    CHECK(result.status == 0);
    CHECK(result.duration < 10s);
    if (kind != "one line") CHECK_THAT(result.detail, contains("headers exceed 32768 bytes"));
}

TEST_CASE("an answer that is not HTTP, or ends early, is a protocol failure") {
    struct Case {
        std::string name, answer;
        bool reset;
        int status;
    };
    const auto chosen = GENERATE(values<Case>({
        {"nothing", "", false, 0},
        {"reset after the request", "", true, 0},
        {"another protocol", "SSH-2.0-OpenSSH_9.2p1\r\n", false, 0},
        {"garbage in the status line", "HTTP/1.1 abc\r\n\r\n", false, 0},
        {"an end within the headers", "HTTP/1.1 200 OK\r\nx: y\r\n", true, 0},
        {"only an interim answer", "HTTP/1.1 100 Continue\r\n\r\n", false, 0},
        {"an end within the body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", false, 200},
        {"a reset within the body", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", true,
         200},
        {"a broken chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", false, 200},
    }));
    ScriptedServer server([&](Peer& peer) {
        peer.read_request();
        peer.send(chosen.answer);
        if (chosen.reset) peer.reset();
    });
    ClientFixture fixture;
    const auto result = fixture.post(request_to(server.url()));
    INFO(chosen.name << ": " << result.detail);
    CHECK(result.failure == Failure::protocol);
    CHECK(result.status == chosen.status);
    CHECK(result.first_byte_sent);
    CHECK_FALSE(result.detail.empty());
}

TEST_CASE("may_start is asked when the connection stands, and no sends nothing") {
    ScriptedServer server([](Peer& peer) { peer.wait_for_end(); });
    ClientFixture fixture;
    auto request = request_to(server.url());
    bool connected = false;
    request.may_start = [&] {
        connected = server.wait_for_bytes("");
        return false;
    };
    const auto result = fixture.post(request);
    CHECK(connected);
    CHECK(result.failure == Failure::not_started);
    CHECK_FALSE(result.first_byte_sent);
    CHECK(result.status == 0);
    CHECK(server.received().empty());
}

TEST_CASE("what is no http or https URL is refused") {
    ClientFixture fixture;
    const auto url =
        GENERATE(as<std::string>(), "", "ftp://127.0.0.1/", "file:///etc/passwd", "http://a@127.0.0.1/");
    CHECK(fixture.post(request_to(url)).failure == Failure::protocol);
}

TEST_CASE("cancelling the awaiting coroutine cuts the request") {
    ScriptedServer server([](Peer& peer) { peer.wait_for_end(); });
    ClientFixture fixture;
    const auto started = fixture.start(request_to(server.url(), "the body"));
    REQUIRE(fixture.run_until([&] { return server.received().find("the body") != std::string::npos; }));
    CHECK(fixture.client->in_flight() == 1);
    started->cancellation.emit(asio::cancellation_type::terminal);
    CHECK_THROWS_AS(fixture.finish(started), boost::system::system_error);
    CHECK(fixture.client->in_flight() == 0);
}
