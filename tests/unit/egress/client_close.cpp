#include <atomic>

#include "client_fixture.hpp"
#include "support/certificates.hpp"
#include "support/name_server.hpp"
#include "support/scripted_server.hpp"

using namespace posthorn::egress;
using namespace posthorn::egress::test;

namespace {

constexpr std::uint64_t group = 7;

Request in_group(Request request) {
    request.group = group;
    return request;
}

void expect_not_started(const Result& result) {
    CHECK(result.failure == Failure::not_started);
    CHECK_FALSE(result.first_byte_sent);
}

}  // namespace

TEST_CASE("close while the name is resolved: not started") {
    NameServer names;
    names.set_silent("silent.test");
    ClientFixture fixture("127.0.0.0/8", with_name_servers(names.as_option()));
    const auto started = fixture.start(in_group(request_to("http://silent.test/")));
    REQUIRE(fixture.run_until([&] { return names.queries() > 0; }));
    fixture.client->close(group);
    expect_not_started(fixture.finish(started));
    CHECK(fixture.client->in_flight() == 0);
}

TEST_CASE("close before the loop came to the request: not started") {
    ScriptedServer server(answer_all);
    ClientFixture fixture;
    const auto started = fixture.start(in_group(request_to(server.url())));
    REQUIRE(fixture.run_until([&] { return fixture.client->in_flight() == 1; }));
    fixture.client->close(group);
    expect_not_started(fixture.finish(started));
    CHECK(server.connections() == 0);
}

TEST_CASE("close during the TLS handshake: not started") {
    ScriptedServer server([](Peer& peer) { peer.wait_for_end(); });
    ClientFixture fixture;
    const auto url = "https://127.0.0.1:" + std::to_string(server.port()) + "/";
    const auto started = fixture.start(in_group(request_to(url)));
    REQUIRE(fixture.run_until([&] { return !server.received().empty(); }));
    fixture.client->close(group);
    expect_not_started(fixture.finish(started));
}

TEST_CASE("close after the last byte: the answer still comes") {
    std::atomic<bool> closed = false;
    ScriptedServer server([&](Peer& peer) {
        peer.read_request();
        while (!closed) std::this_thread::yield();
        peer.answer("200 OK", "late");
    });
    ClientFixture fixture;
    const auto started = fixture.start(in_group(request_to(server.url(), "the body")));
    REQUIRE(fixture.run_until([&] { return server.received().find("the body") != std::string::npos; }));
    fixture.client->close(group);
    closed = true;
    const auto result = fixture.finish(started);
    CHECK(result.failure == Failure::none);
    CHECK(result.status == 200);
    CHECK(result.body == "late");
}

TEST_CASE("close between the first byte and the last: cut, and nothing more arrives") {
    const CertificateAuthority authority;
    const auto context = authority.server_context("IP:127.0.0.1");
    const bool tls = GENERATE(false, true);
    std::atomic<bool> closed = false;
    ScriptedServer server(
        [&](Peer& peer) {
            peer.read_head();
            while (!closed) std::this_thread::yield();  // the kernel's buffers fill up
            peer.wait_for_end();
        },
        tls ? context.get() : nullptr);
    ClientOptions options;
    options.ca_file = authority.file();
    ClientFixture fixture("127.0.0.0/8", options);
    const std::size_t size = 64'000'000;
    const auto started = fixture.start(in_group(request_to(server.url(), std::string(size, 'x'))));
    REQUIRE(fixture.run_until([&] { return server.received().find("\r\n\r\n") != std::string::npos; }));
    fixture.client->close(group);
    closed = true;
    const auto result = fixture.finish(started);
    CHECK(result.failure == Failure::aborted);
    CHECK(result.first_byte_sent);
    CHECK(result.status == 0);
    CHECK(server.received().size() < size);
}

TEST_CASE("close when the request would be sent a second time: it isn't") {
    std::atomic<bool> closed = false;
    ScriptedServer server([&](Peer& peer) {
        if (peer.number() > 0) return answer_all(peer);
        peer.read_request();
        peer.answer("200 OK");
        peer.read_request();
        while (!closed) std::this_thread::yield();
    });
    ClientFixture fixture;
    REQUIRE(fixture.post(request_to(server.url(), "first")).failure == Failure::none);
    const auto started = fixture.start(in_group(request_to(server.url(), "second")));
    REQUIRE(fixture.run_until([&] { return server.received().find("second") != std::string::npos; }));
    fixture.client->close(group);
    closed = true;
    const auto result = fixture.finish(started);
    CHECK(result.failure == Failure::aborted);
    CHECK(result.first_byte_sent);
    CHECK(server.received(1).empty());
}

TEST_CASE("close leaves other groups alone") {
    std::atomic<bool> closed = false;
    ScriptedServer server([&](Peer& peer) {
        peer.read_request();
        while (!closed) std::this_thread::yield();
        peer.answer("200 OK");
    });
    ClientFixture fixture;
    auto other = request_to(server.url(), "other");
    other.group = group + 1;
    const auto kept = fixture.start(other);
    const auto cut =
        fixture.start(in_group(request_to("https://127.0.0.1:" + std::to_string(server.port()) + "/")));
    REQUIRE(fixture.run_until([&] { return fixture.client->in_flight() == 2; }));
    fixture.client->close(group);
    closed = true;
    expect_not_started(fixture.finish(cut));
    CHECK(fixture.finish(kept).failure == Failure::none);
}
