// The receivers of docs/consumer-guide.md, with the service's own deliveries and with forgeries.
//
// What they have in common: argv[1] is a port of 127.0.0.1, WEBHOOK_SECRET the endpoint's secret; a POST with
// a right signature, not more than 5 minutes old, is answered 204, anything else 400. They use nothing but
// their language's standard library.
#include <boost/asio/ip/tcp.hpp>
#include <fmt/format.h>
#include <fstream>
#include <iterator>

#include "domain/signature.hpp"
#include "egress/api_client.hpp"
#include "support/becomes_true.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/places.hpp"
#include "support/service.hpp"

using namespace posthorn;
using posthorn::test::becomes_true;
using posthorn::test::ChildProcess;
using posthorn::test::Service;
using std::chrono::milliseconds;
using std::chrono::seconds;
namespace asio = boost::asio;
namespace json = boost::json;

namespace {

const std::string other_secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

struct Consumer {
    std::string file;
    std::vector<std::string> command;  // before the port; {} is the file, or what the build made of it
    std::vector<std::string> probe;    // ends with 0 where the language is installed
    std::vector<std::string> build = {};
    bool always_there = false;  // ./dev setup installs it
};

const std::vector<Consumer> consumers{
    {"receiver.mjs", {"node", "{}"}, {"node", "--version"}, {}, true},
    {"receiver.py", {"python3", "{}"}, {"python3", "--version"}, {}, true},
    {"receiver.go", {"{}"}, {"go", "version"}, {"go", "build", "-o"}},
    {"receiver.rb", {"ruby", "{}"}, {"ruby", "--version"}},
    {"receiver.php", {"php", "{}"}, {"php", "--version"}},
};

std::filesystem::path source_of(const Consumer& consumer) {
    return test::source_directory() / "tests/consumers" / consumer.file;
}

std::string text_of(const std::filesystem::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

ChildProcess::Options by_path(std::vector<std::string> command,
                              std::map<std::string, std::string> environment = {}) {
    return {.program = "/usr/bin/env",
            .arguments = std::move(command),
            .environment = std::move(environment),
            .input = {},
            .stop_limit = seconds(5)};
}

bool is_installed(const Consumer& consumer) { return test::run_program(by_path(consumer.probe)).status == 0; }

// Built, where that is needed, once for all its runs.
class Program {
public:
    explicit Program(const Consumer& consumer) : command_(consumer.command) {
        auto file = source_of(consumer);
        if (!consumer.build.empty()) {
            auto build = consumer.build;
            const auto built = directory_.path() / "receiver";
            build.insert(build.end(), {built.string(), file.string()});
            const auto finished = test::run_program(
                by_path(build, {{"GOCACHE", (directory_.path() / "cache").string()}, {"GO111MODULE", "off"}}),
                seconds(180));
            INFO(finished.errors);
            REQUIRE(finished.status == 0);
            file = built;
        }
        for (auto& word : command_)
            if (word == "{}") word = file.string();
    }

    std::vector<std::string> on_port(std::uint16_t port) const {
        auto command = command_;
        command.push_back(std::to_string(port));
        return command;
    }

private:
    test::TemporaryDirectory directory_;
    std::vector<std::string> command_;
};

// Free a moment ago: a program that is told its port can't be given an open socket.
std::uint16_t free_port() {
    asio::io_context io;
    return asio::ip::tcp::acceptor(io, {asio::ip::address_v4::loopback(), 0}).local_endpoint().port();
}

// A consumer's program that runs, for one secret.
class Running {
public:
    Running(const Program& program, std::uint16_t port, const std::string& secret)
        : child_(by_path(program.on_port(port), {{"WEBHOOK_SECRET", secret}})), port_(port) {
        INFO(child_.errors());
        REQUIRE(becomes_true([&] { return answers(); }));
    }

    // The status of a POST with these headers.
    int post(std::string_view body, const egress::ApiClient::Fields& headers) const {
        egress::ApiClient client({.server = fmt::format("http://127.0.0.1:{}", port_), .token = {}});
        return client.call("POST", "/hook", body, headers).status;
    }

private:
    bool answers() const {
        try {
            return post("{}", {}) == 400;
        } catch (const egress::ApiUnreachable&) {
            return false;
        }
    }

    ChildProcess child_;
    std::uint16_t port_;
};

std::int64_t now_s() {
    return std::chrono::duration_cast<seconds>(RealClock().system_now().time_since_epoch()).count();
}

struct Forgery {
    std::string id = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W";
    std::string timestamp = std::to_string(now_s());
    std::string signed_body = R"({"amount":10.50})", sent_body = signed_body;
    std::string before_signature = {};
};

egress::ApiClient::Fields headers_of(const Forgery& forgery, const std::string& secret,
                                     std::int64_t timestamp) {
    const auto key = std::get<domain::SigningKey>(domain::SigningKey::parse(secret));
    return {{"webhook-id", forgery.id},
            {"webhook-timestamp", forgery.timestamp},
            {"webhook-signature",
             forgery.before_signature + key.sign(forgery.id, timestamp, forgery.signed_body)}};
}

int post(const Running& running, const Forgery& forgery, const std::string& secret) {
    return running.post(forgery.sent_body, headers_of(forgery, secret, std::stoll(forgery.timestamp)));
}

Service& service() {
    static Service shared;
    return shared;
}

// One application with one endpoint, to which the consumer listens.
class Customer {
public:
    explicit Customer(std::uint16_t port)
        : application_(service().make_application()),
          endpoint_(
              service().make_endpoint(application_, fmt::format("http://127.0.0.1:{}/hook?a=b", port))) {}

    std::string secret() const { return service().secret_of(application_, endpoint_); }

    void rotate(int grace_period_s) const {
        service().expect(204, "POST",
                         fmt::format("/api/v1/app/{}/endpoint/{}/secret/rotate", application_, endpoint_),
                         fmt::format(R"({{"gracePeriodSeconds":{}}})", grace_period_s));
    }

    // The statuses of a message's attempts, when it has ended.
    std::vector<std::int64_t> deliver(const std::string& message_body) const {
        const auto sent =
            service().expect(202, "POST", fmt::format("/api/v1/app/{}/msg", application_), message_body);
        const auto id = json::value_to<std::string>(sent.at("id"));
        const auto path =
            fmt::format("/api/v1/app/{}/msg/{}/endpoint/{}/explanation", application_, id, endpoint_);
        REQUIRE(becomes_true([&] {
            const auto state = service().expect(200, "GET", path).at("state").as_string();
            return state == "delivered" || state == "failed";
        }));
        const auto list =
            service().expect(200, "GET", fmt::format("/api/v1/app/{}/attempt/msg/{}", application_, id));
        std::vector<std::int64_t> statuses;
        for (const auto& attempt : list.at("data").as_array())
            statuses.push_back(attempt.at("responseStatusCode").as_int64());
        return statuses;
    }

private:
    std::string application_, endpoint_;
};

using Statuses = std::vector<std::int64_t>;

void check_deliveries(const Program& program) {
    const auto port = free_port();
    const Customer customer(port);
    const auto old_secret = customer.secret();
    const std::string simple = R"({"eventType":"order.paid","payload":{"n":1}})";
    {
        const Running running(program, port, old_secret);
        CHECK(
            customer.deliver(
                R"({"eventType":"order.paid","payload": {"price":10.50,  "name":"Z\u00fcrich \"x\"","city":"Zürich 日"}})") ==
            Statuses{204});
        CHECK(
            customer.deliver(
                R"({"eventType":"a.b","payload":{},"transformationsParams":{"rawPayload":"a;b\r\n\u00e4;\u0000\n","headers":{"Content-Type":"text/csv"}}})") ==
            Statuses{204});
        customer.rotate(3'600);
        CHECK(customer.deliver(simple) == Statuses{204});  // two signatures: the old secret does still
    }
    {
        const Running running(program, port, customer.secret());
        CHECK(customer.deliver(simple) == Statuses{204});  // and the new one already
        customer.rotate(0);
        CHECK(customer.deliver(simple) == Statuses{400, 400, 400, 400});  // every retry too
    }
}

void check_forgeries(const Program& program) {
    const auto secret = domain::SigningKey::generate(domain::SigningKey::Kind::hmac_sha256).text().reveal();
    const Running running(program, free_port(), std::string(secret));
    const std::string right(secret);
    CHECK(post(running, {}, right) == 204);
    CHECK(post(running, {.before_signature = "v1a,AAAA v1,AAAA= v2,"}, right) == 400);
    CHECK(post(running, {.before_signature = "v1a,AAAA v1,AAAA= "}, right) == 204);
    CHECK(post(running, {.timestamp = std::to_string(now_s() - 280)}, right) == 204);
    CHECK(post(running, {.timestamp = std::to_string(now_s() - 320)}, right) == 400);
    CHECK(post(running, {.timestamp = std::to_string(now_s() + 280)}, right) == 204);
    CHECK(post(running, {.timestamp = std::to_string(now_s() + 320)}, right) == 400);
    CHECK(post(running, {.sent_body = R"({"amount":10.5})"}, right) == 400);
    CHECK(post(running, {.sent_body = ""}, right) == 400);
    CHECK(post(running, {}, other_secret) == 400);

    const Forgery genuine;
    const auto headers = headers_of(genuine, right, std::stoll(genuine.timestamp));
    for (std::size_t i = 0; i < headers.size(); ++i) {
        auto changed = headers;
        changed[i].second += "0";
        INFO(changed[i].first);
        CHECK(running.post(genuine.sent_body, changed) == 400);
        changed.erase(changed.begin() + static_cast<std::ptrdiff_t>(i));
        CHECK(running.post(genuine.sent_body, changed) == 400);
    }
    for (const std::string timestamp : {"", "x", "1e9", "-1", "99999999999999999999"}) {
        INFO(timestamp);
        auto changed = headers;
        changed[1].second = timestamp;
        CHECK(running.post(genuine.sent_body, changed) == 400);
    }
    CHECK(running.post(genuine.sent_body, headers) == 204);  // after all that it still works
}

}  // namespace

TEST_CASE("the receivers of the documentation take what the service sends, and nothing else") {
    const auto consumer = GENERATE(from_range(consumers));
    INFO(consumer.file);
    if (!is_installed(consumer)) {
        REQUIRE_FALSE(consumer.always_there);
        WARN(consumer.file << " is skipped: " << consumer.probe.front() << " is not installed");
        return;
    }
    const Program program(consumer);
    check_deliveries(program);
    check_forgeries(program);
}

TEST_CASE("the documentation shows the receivers as they are") {
    const auto guide = text_of(test::source_directory() / "docs/consumer-guide.md");
    for (const auto& consumer : consumers) {
        INFO(consumer.file);
        const auto program = text_of(source_of(consumer));
        REQUIRE_FALSE(program.empty());
        CHECK(guide.find("\n" + program + "```\n") != std::string::npos);
    }
}
