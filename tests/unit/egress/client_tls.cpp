#include "client_fixture.hpp"
#include "support/certificates.hpp"
#include "support/scripted_server.hpp"

using namespace posthorn::egress;
using namespace posthorn::egress::test;
using posthorn::test::contains;

namespace {

ClientOptions trusting(const CertificateAuthority& authority) {
    ClientOptions options;
    options.ca_file = authority.file();
    return options;
}

}  // namespace

TEST_CASE("a request over TLS, kept alive") {
    const CertificateAuthority authority;
    const auto context = authority.server_context("DNS:localhost,IP:127.0.0.1");
    ScriptedServer server(answer_all, context.get());
    ClientFixture fixture("127.0.0.0/8,::1", trusting(authority));
    const auto host = GENERATE(as<std::string>(), "127.0.0.1", "localhost");
    const auto result = fixture.post(request_to(server.url(host), "over TLS"));
    INFO(result.detail);
    CHECK(result.failure == Failure::none);
    CHECK(result.status == 200);
    CHECK_THAT(server.received(), contains("over TLS"));
    CHECK(fixture.post(request_to(server.url(host))).connection_reused);
}

TEST_CASE("a certificate that does not hold sends nothing") {
    const CertificateAuthority authority;
    const CertificateAuthority other;
    const auto kind = GENERATE(as<std::string>(), "expired", "another host's", "untrusted");
    const auto& issuer = kind == "untrusted" ? other : authority;
    const auto names = kind == "another host's" ? "DNS:elsewhere.test,IP:127.0.0.2" : "IP:127.0.0.1";
    const auto context = issuer.server_context(names, kind == "expired");
    ScriptedServer server(answer_all, context.get());
    ClientFixture fixture("127.0.0.0/8", trusting(authority));
    const auto result = fixture.post(request_to(server.url()));
    INFO(kind << ": " << result.detail);
    CHECK(result.failure == Failure::tls);
    CHECK_FALSE(result.first_byte_sent);
    CHECK_FALSE(result.detail.empty());
    CHECK(server.received().empty());
}

TEST_CASE("a server that ends or garbles the handshake is a TLS failure") {
    ScriptedServer server([](Peer& peer) {
        if (peer.number() == 0) peer.send("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    ClientFixture fixture;
    const auto url = "https://127.0.0.1:" + std::to_string(server.port()) + "/";
    CHECK(fixture.post(request_to(url)).failure == Failure::tls);
    CHECK(fixture.post(request_to(url)).failure == Failure::tls);
}

TEST_CASE("HTTP/2 is offered only when it is asked for") {
    const CertificateAuthority authority;
    const auto context = authority.server_context("IP:127.0.0.1");
    ScriptedServer server(answer_all, context.get());
    ClientFixture fixture("127.0.0.0/8", trusting(authority));
    auto request = request_to(server.url());
    request.http2 = GENERATE(false, true);
    CHECK(fixture.post(request).failure == Failure::none);
    CHECK((server.offered_protocols().find("\x02h2") != std::string::npos) == request.http2);
    CHECK_THAT(server.offered_protocols(), contains("\x08http/1.1"));
}

TEST_CASE("may_start over TLS: no sends no byte of the request") {
    const CertificateAuthority authority;
    const auto context = authority.server_context("IP:127.0.0.1");
    ScriptedServer server([](Peer& peer) { peer.wait_for_end(); }, context.get());
    ClientFixture fixture("127.0.0.0/8", trusting(authority));
    auto request = request_to(server.url());
    request.may_start = [] { return false; };
    CHECK(fixture.post(request).failure == Failure::not_started);
    CHECK(server.received().empty());
}
