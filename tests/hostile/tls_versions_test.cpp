#include <algorithm>
#include <fmt/format.h>
#include <fstream>

#include "egress/outcome.hpp"
#include "support/becomes_true.hpp"
#include "support/catch.hpp"
#include "support/certificates.hpp"
#include "support/postgres.hpp"
#include "support/scripted_server.hpp"
#include "support/service.hpp"

using namespace posthorn;
using egress::test::CertificateAuthority;
using egress::test::ScriptedServer;
using posthorn::test::contains;
using posthorn::test::Service;
namespace json = boost::json;

namespace {

// OpenSSL's own configuration, by which a program takes any version and cipher: only what the service itself
// demands is left.
constexpr std::string_view lax_openssl = R"(
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = anything
[anything]
MinProtocol = TLSv1
CipherString = DEFAULT@SECLEVEL=0
)";

egress::test::TlsContext only(int version, const CertificateAuthority& authority) {
    auto context = authority.server_context("IP:127.0.0.1");
    SSL_CTX_set_security_level(context.get(), 0);
    SSL_CTX_set_min_proto_version(context.get(), version);
    SSL_CTX_set_max_proto_version(context.get(), version);
    return context;
}

// The first attempt's outcome as the API shows it: its status, 0 for success, and what was answered.
std::pair<std::int64_t, std::string> first_attempt(Service& service, const std::string& endpoint) {
    const auto path = "/api/v1/app/acme/attempt/endpoint/" + endpoint;
    json::array attempts;
    REQUIRE(posthorn::test::becomes_true([&] {
        attempts = service.expect(200, "GET", path).at("data").as_array();
        return !attempts.empty();
    }));
    return {attempts[0].at("status").as_int64(), std::string(attempts[0].at("response").as_string())};
}

}  // namespace

TEST_CASE("nothing is delivered by a version of TLS before 1.2, whatever the machine's OpenSSL would take") {
    const posthorn::test::TemporaryDirectory directory;
    const auto configuration = directory.path() / "openssl.cnf";
    std::ofstream(configuration) << lax_openssl;
    const CertificateAuthority authority;
    Service service({.database_url = posthorn::test::TestPostgres::instance().make_database(),
                     .environment = {{"OPENSSL_CONF", configuration.string()},
                                     {"POSTHORN_CA_FILE", authority.file()},
                                     {"POSTHORN_RETRY_SCHEDULE", "1h"}}});
    service.make_application("acme");
    struct Receiver {
        int version;
        bool taken;
        egress::test::TlsContext context;
        std::unique_ptr<ScriptedServer> server;
        std::string endpoint;
    };
    std::vector<Receiver> receivers;
    for (const auto& [version, taken] : std::initializer_list<std::pair<int, bool>>{{TLS1_VERSION, false},
                                                                                    {TLS1_1_VERSION, false},
                                                                                    {TLS1_2_VERSION, true},
                                                                                    {TLS1_3_VERSION, true}}) {
        auto context = only(version, authority);
        auto server = std::make_unique<ScriptedServer>(egress::test::answer_all, context.get());
        const auto endpoint = service.make_endpoint("acme", server->url());
        receivers.push_back({version, taken, std::move(context), std::move(server), endpoint});
    }
    service.send("acme", "a", R"({"text":"over TLS"})");
    for (const auto& receiver : receivers) {
        const auto [status, response] = first_attempt(service, receiver.endpoint);
        INFO(fmt::format("version {:x}: {}", receiver.version, response));
        CHECK((status == 0) == receiver.taken);
        if (receiver.taken)
            CHECK_THAT(receiver.server->received(), contains("over TLS"));
        else
            CHECK(response == egress::to_string(egress::Failure::tls));
        if (!receiver.taken) CHECK(receiver.server->received().empty());
    }
}
