#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "egress/client.hpp"
#include "support/certificates.hpp"
#include "support/scripted_server.hpp"

namespace posthorn::egress::test {

// What a receiver can do to those who deliver to it, and what must become of an attempt.
struct HostileReceiver {
    // How it meets an https URL; plain: its URL is http. silent_tls: the script has the bare connection.
    enum class Meets { plain, tls, expired, other_host, self_signed, tls_1_1, silent_tls };

    std::string name;
    ScriptedServer::Script script;
    std::vector<Failure> may_end_as;  // where the kernel decides what is seen first, there are several
    int status = 0;                   // of the answer that is recorded with Failure::none
    std::string body = {};            // how the recorded response begins, with Failure::none
    Meets meets = Meets::plain;
};

// All of them. Each that never ends by itself ends with its connection.
const std::vector<HostileReceiver>& hostile_receivers();

// One of them at work on loopback.
class HostileServer {
public:
    HostileServer(const HostileReceiver& receiver, const CertificateAuthority& authority);
    std::string url() const;
    ScriptedServer& server() { return *server_; }

private:
    TlsContext tls_;
    bool https_;
    std::unique_ptr<ScriptedServer> server_;
};

}  // namespace posthorn::egress::test
