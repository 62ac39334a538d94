#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>

#include "base/timestamp.hpp"
#include "egress/outcome.hpp"
#include "support/becomes_true.hpp"
#include "support/catch.hpp"
#include "support/hostile_receivers.hpp"
#include "support/name_server.hpp"
#include "support/receiver.hpp"
#include "support/service.hpp"

using namespace posthorn;
using egress::Failure;
using egress::test::CertificateAuthority;
using egress::test::HostileServer;
using egress::test::NameServer;
using egress::test::ScriptedServer;
using posthorn::test::Receiver;
using posthorn::test::Service;
using std::chrono::milliseconds;
using std::chrono::seconds;
namespace json = boost::json;

namespace {

constexpr milliseconds request_timeout{1'000};
constexpr milliseconds slack{2'000};  // a machine under load
// None waits for a hostile one's deadline, and far less for one that would keep the loop busy.
constexpr milliseconds usually{500}, always{2'500};
constexpr std::size_t kept_response_bytes = 16'384;
constexpr std::size_t messages = 4;  // as many as an endpoint is sent at a time at first

// One worker thread: what keeps it busy keeps everybody waiting.
std::map<std::string, std::string> settings(const CertificateAuthority& authority, const NameServer& names) {
    return {
        {"POSTHORN_ALLOW_NETWORKS", "127.0.0.1/32"}, {"POSTHORN_REQUEST_TIMEOUT", "1s"},
        {"POSTHORN_RETRY_SCHEDULE", "1h"},           {"POSTHORN_WORKER_THREADS", "1"},
        {"POSTHORN_CA_FILE", authority.file()},      {"POSTHORN_NAME_SERVERS", names.as_option().front()}};
}

struct HostileEndpoint {
    std::string name, id;
    std::vector<Failure> may_end_as;
    int status = 0;
    std::string body = {};
};

// A customer whose endpoints are all hostile receivers and hostile names.
class HostileCustomer {
public:
    HostileCustomer(Service& service, const CertificateAuthority& authority, NameServer& names)
        : application(service.make_application()) {
        for (const auto& receiver : egress::test::hostile_receivers()) {
            const auto& server = *servers_.emplace_back(std::make_unique<HostileServer>(receiver, authority));
            endpoints.push_back({receiver.name, service.make_endpoint(application, server.url()),
                                 receiver.may_end_as, receiver.status, receiver.body});
        }
        const auto add_name = [&](const std::string& name, Failure failure) {
            names.set(name, {"127.0.0.1"}, 0);  // until the endpoint has been created
            endpoints.push_back(
                {name, service.make_endpoint(application, behind_names.url(name)), {failure}});
        };
        add_name("unknown.test", Failure::name_unresolved);
        add_name("failing.test", Failure::name_unresolved);
        add_name("silent.test", Failure::timeout);
        add_name("private.test", Failure::address_refused);
        add_name("mixed.test", Failure::address_refused);
        add_name("metadata.test", Failure::address_refused);
        names.forget("unknown.test");
        names.set_failing("failing.test");
        names.set_silent("silent.test");
        names.set("private.test", {"127.0.0.2"});
        names.set("mixed.test", {"127.0.0.1", "127.0.0.2"});
        names.set("metadata.test", {"169.254.169.254"});
    }

    std::string application;
    std::vector<HostileEndpoint> endpoints;
    ScriptedServer behind_names{egress::test::answer_all};

private:
    std::vector<std::unique_ptr<HostileServer>> servers_;
};

json::array attempts_of(Service& service, const std::string& application, const std::string& endpoint) {
    const auto path = fmt::format("/api/v1/app/{}/attempt/endpoint/{}?limit=250", application, endpoint);
    return service.expect(200, "GET", path).at("data").as_array();
}

void check_attempt(const json::value& attempt, const HostileEndpoint& endpoint) {
    const auto response = std::string(attempt.at("response").as_string());
    const auto status = attempt.at("responseStatusCode").as_int64();
    INFO(endpoint.name << ": " << status << " " << response.substr(0, 100));
    CHECK(attempt.at("responseDurationMs").as_int64() < (request_timeout + slack).count());
    CHECK(response.size() <= 3 * kept_response_bytes);  // each byte may have become a U+FFFD
    const auto is_as_said = [&](Failure failure) {
        if (failure == Failure::none)
            return status == endpoint.status &&
                   (status >= 200 && status <= 299) == (attempt.at("status").as_int64() == 0);
        return status == 0 && response == egress::to_string(failure);
    };
    CHECK(std::ranges::any_of(endpoint.may_end_as, is_as_said));
    if (status == 0) CHECK(response.find("127.0.0") == std::string::npos);
}

// The time that the explanation gives for the next attempt.
milliseconds next_attempt_in(Service& service, const std::string& application, const std::string& endpoint,
                             const std::string& message) {
    const auto path =
        fmt::format("/api/v1/app/{}/msg/{}/endpoint/{}/explanation", application, message, endpoint);
    const auto answer = service.expect(200, "GET", path);
    CHECK(answer.at("reason").as_string() == "retrying");
    const auto until = parse_timestamp(std::string(answer.at("until").as_string()));
    REQUIRE(until);
    return std::chrono::duration_cast<milliseconds>(*until - RealClock().system_now());
}

}  // namespace

TEST_CASE(
    "every hostile receiver at once: each attempt ends in time with a plain cause, and others' deliveries go "
    "on") {
    const CertificateAuthority authority;
    NameServer names;
    Service service({.environment = settings(authority, names)});
    HostileCustomer hostile(service, authority, names);
    Receiver healthy;
    const auto application = service.make_application();
    service.make_endpoint(application, healthy.url());

    std::vector<std::string> sent;
    for (std::size_t i = 0; i < messages; ++i)
        sent.push_back(service.send(hostile.application, "order.paid", R"({"n":1})"));
    std::vector<milliseconds> delays;
    const auto end = std::chrono::steady_clock::now() + 3 * request_timeout;
    while (std::chrono::steady_clock::now() < end) {
        const auto began = std::chrono::steady_clock::now();
        service.send(application, "order.paid", "{}");
        REQUIRE(healthy.wait_for(delays.size() + 1));
        delays.push_back(std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - began));
    }
    std::ranges::sort(delays);
    INFO(delays.size() << " healthy deliveries beside " << hostile.endpoints.size()
                       << " hostile endpoints took " << delays[delays.size() / 2].count()
                       << " ms in the middle, " << delays.back().count() << " ms at most");
    CHECK(delays[delays.size() / 2] < usually);
    CHECK(delays.back() < always);

    const auto deadline = std::chrono::steady_clock::now() + seconds(20);
    for (const auto& endpoint : hostile.endpoints) {
        INFO(endpoint.name);
        auto attempts = attempts_of(service, hostile.application, endpoint.id);
        while (attempts.size() < messages && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::sleep_for(milliseconds(20));
            attempts = attempts_of(service, hostile.application, endpoint.id);
        }
        CHECK(attempts.size() == messages);
        for (const auto& attempt : attempts) check_attempt(attempt, endpoint);
    }
    CHECK(hostile.behind_names.connections() == 0);  // no refused address was spoken to

    using std::chrono::hours;
    const std::map<std::string, std::pair<milliseconds, milliseconds>> waits{
        {"Retry-After: garbage", {hours(0), hours(2)}},
        {"Retry-After: negative", {hours(0), hours(2)}},
        {"Retry-After: a past date", {hours(0), hours(2)}},
        {"Retry-After: a far date", {hours(23), hours(24)}},
        {"Retry-After: enormous", {hours(23), hours(24)}},
    };
    std::size_t looked_at = 0;
    for (const auto& endpoint : hostile.endpoints) {
        const auto wait = waits.find(endpoint.name);
        if (wait == waits.end()) continue;
        INFO(endpoint.name);
        const auto next = next_attempt_in(service, hostile.application, endpoint.id, sent.front());
        CHECK(next > wait->second.first);
        CHECK(next <= wait->second.second);
        ++looked_at;
    }
    CHECK(looked_at == waits.size());
    CHECK(service.stop() == 0);
}

TEST_CASE("a refused address reads the same whether a port is open there, closed, or nobody at home") {
    const CertificateAuthority authority;
    NameServer names;
    Service service({.environment = settings(authority, names)});
    ScriptedServer open(egress::test::answer_all);  // on every address of loopback
    std::uint16_t closed_port = 0;
    {
        closed_port = ScriptedServer(egress::test::answer_all).port();
    }
    const std::map<std::string, std::pair<std::string, std::uint16_t>> doors{
        {"open.test", {"127.0.0.2", open.port()}},
        {"closed.test", {"127.0.0.2", closed_port}},
        {"nobody.test", {"10.255.255.1", 80}},
    };
    const auto application = service.make_application();
    std::map<std::string, std::string> endpoints;
    std::set<std::string> refusals;
    for (const auto& [name, door] : doors) {
        names.set(name, {"127.0.0.1"}, 0);
        endpoints[name] = service.make_endpoint(application, fmt::format("http://{}:{}/", name, door.second));
        const auto path = fmt::format("/api/v1/app/{}/endpoint", application);
        const auto literal =
            service.api("POST", path, fmt::format(R"({{"url":"http://{}:{}/"}})", door.first, door.second));
        CHECK(literal.status == 422);
        refusals.insert(json::serialize(literal.body));
        names.set(name, {door.first});
    }
    CHECK(refusals.size() == 1);
    service.send(application, "order.paid", "{}");
    std::set<std::string> seen;
    const auto deadline = std::chrono::steady_clock::now() + seconds(20);
    for (const auto& [name, id] : endpoints) {
        auto attempts = attempts_of(service, application, id);
        while (attempts.empty() && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::sleep_for(milliseconds(20));
            attempts = attempts_of(service, application, id);
        }
        REQUIRE(attempts.size() == 1);
        INFO(name << ": " << json::serialize(attempts[0]));
        // No packet was waited for: what is reachable and what is not take as long.
        CHECK(attempts[0].at("responseDurationMs").as_int64() < request_timeout.count() / 2);
        auto shown = attempts[0].as_object();
        for (const auto* own : {"id", "endpointId", "url", "timestamp", "responseDurationMs"})
            shown.erase(own);
        seen.insert(json::serialize(shown));
    }
    CHECK(seen.size() == 1);
    CHECK(open.connections() == 0);
}

TEST_CASE("receivers whose chunk extensions have no end are cut off, and not by the deadline") {
    Service service(
        {.environment = {{"POSTHORN_REQUEST_TIMEOUT", "60s"}, {"POSTHORN_RETRY_SCHEDULE", "1h"}}});
    ScriptedServer server([](egress::test::Peer& peer) {
        if (!peer.read_request()) return;
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;");
        while (peer.send(std::string(65'536, 'y'))) continue;
    });
    const auto application = service.make_application();
    const auto endpoint = service.make_endpoint(application, server.url());
    for (std::size_t i = 0; i < messages; ++i) service.send(application, "order.paid", "{}");
    CHECK(test::becomes_true([&] { return attempts_of(service, application, endpoint).size() == messages; }));
    for (const auto& attempt : attempts_of(service, application, endpoint))
        CHECK(attempt.at("response").as_string() == egress::to_string(Failure::protocol));
}
