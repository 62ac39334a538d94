#include <algorithm>

#include "client_fixture.hpp"
#include "egress/outcome.hpp"
#include "support/hostile_receivers.hpp"

using namespace posthorn::egress;
using namespace posthorn::egress::test;

namespace {

constexpr auto deadline = 700ms;
constexpr auto slack = 1500ms;  // a machine under load
// More than the socket buffers of both sides take while nobody reads.
constexpr std::size_t large_body_bytes = 64'000'000;

}  // namespace

TEST_CASE("whatever a receiver does, its request ends in time and says plainly why") {
    const CertificateAuthority authority;
    ClientOptions options;
    options.ca_file = authority.file();
    ClientFixture fixture("127.0.0.1/32", options);
    std::vector<std::unique_ptr<HostileServer>> servers;
    std::vector<std::shared_ptr<Started>> requests;
    for (const auto& receiver : hostile_receivers()) {
        servers.push_back(std::make_unique<HostileServer>(receiver, authority));
        auto request = request_to(servers.back()->url());
        request.timeout = deadline;
        requests.push_back(fixture.start(request));
    }
    for (std::size_t i = 0; i < requests.size(); ++i) {
        const auto& receiver = hostile_receivers()[i];
        const auto result = fixture.finish(requests[i]);
        INFO(receiver.name << ": " << to_string(result.failure) << ", " << result.detail);
        CHECK(std::ranges::count(receiver.may_end_as, result.failure) == 1);
        CHECK(result.duration < deadline + slack);
        CHECK(result.body.size() <= options.response_keep_limit_bytes);
        if (result.failure == Failure::none) {
            CHECK(result.status == receiver.status);
            CHECK(result.body.starts_with(receiver.body));
        }
        if (result.failure == Failure::timeout) CHECK(result.duration >= deadline);
    }
    CHECK(fixture.client->in_flight() == 0);
}

TEST_CASE("a large request of which nobody reads a byte ends at its deadline") {
    ScriptedServer server([](Peer& peer) {
        while (peer.idle(1s)) continue;
    });
    ClientFixture fixture;
    auto request = request_to(server.url(), std::string(large_body_bytes, 'x'));
    request.timeout = deadline;
    const auto result = fixture.post(request);
    CHECK(result.failure == Failure::timeout);
    CHECK(result.duration >= deadline);
    CHECK(result.duration < deadline + slack);
}

TEST_CASE("what libcurl reads and shows to nobody ends an attempt, too, when there is too much of it") {
    ScriptedServer server([](Peer& peer) {
        if (!peer.read_request()) return;
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;");
        while (peer.send(std::string(65'536, 'y'))) continue;
    });
    ClientOptions options;
    options.receive_limit_bytes = 1'000'000;
    ClientFixture fixture("127.0.0.0/8", options);
    const auto result = fixture.post(request_to(server.url()));  // its deadline is 15 s
    CHECK(result.failure == Failure::protocol);
    CHECK(result.detail == "the answer with all that it is wrapped in exceeds 1000000 bytes");
    CHECK(result.body.empty());
    CHECK(fixture.client->in_flight() == 0);
}

TEST_CASE("of what a kept connection brings in, each attempt counts its own alone") {
    const std::string body(60'000, 'y');
    ScriptedServer server([&](Peer& peer) {
        while (peer.read_request() && peer.answer("200 OK", body)) continue;
    });
    ClientOptions options;
    options.receive_limit_bytes = 1'000'000;
    ClientFixture fixture("127.0.0.0/8", options);
    constexpr int requests = 100;
    for (int i = 0; i < requests; ++i) {
        const auto result = fixture.post(request_to(server.url()));
        REQUIRE(result.failure == Failure::none);
    }
    CHECK(server.connections() == 1);
}
