// HTTP/2 as an endpoint's option, to a server of Node.js over TLS.
#include <sstream>

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/places.hpp"
#include "support/postgres.hpp"
#include "support/receiver.hpp"
#include "support/service.hpp"

using namespace posthorn;
using posthorn::test::ChildProcess;
using posthorn::test::Service;
namespace json = boost::json;

namespace {

constexpr std::chrono::seconds limit{30};

ChildProcess::Options node_receiver(const std::filesystem::path& key,
                                    const std::filesystem::path& certificate) {
    const auto made = test::run_program(
        {.program = "/usr/bin/env",
         .arguments = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                       "-nodes", "-days", "2", "-subj", "/CN=subscriber", "-addext",
                       "subjectAltName=IP:127.0.0.1", "-keyout", key.string(), "-out", certificate.string()},
         .environment = {},
         .input = {}});
    if (made.status != 0) throw std::runtime_error("openssl: " + made.errors);
    return {.program = "/usr/bin/env",
            .arguments = {"node", test::source_directory() / "tests/npm/http2_receiver.mjs", key.string(),
                          certificate.string()},
            .environment = {},
            .input = {}};
}

// A subscriber on loopback whose certificate is its own authority.
class Http2Receiver {
public:
    Http2Receiver() : node_(node_receiver(directory_.path() / "key.pem", certificate())) {
        if (!node_.wait_for_output("\n", limit)) throw std::runtime_error("node: " + node_.errors());
        const auto output = node_.output();
        port_ = output.substr(0, output.find('\n'));
    }

    std::string certificate() const { return directory_.path() / "certificate.pem"; }
    std::string url(std::string_view path) const { return "https://127.0.0.1:" + port_ + std::string(path); }

    // The requests so far, at least so many; throws at the limit.
    std::vector<json::object> wait_for(std::size_t count) const {
        const auto deadline = std::chrono::steady_clock::now() + limit;
        auto requests = received();
        while (requests.size() < count) {
            if (std::chrono::steady_clock::now() > deadline)
                throw std::runtime_error("too few requests: " + node_.output() + node_.errors());
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
            requests = received();
        }
        return requests;
    }

private:
    std::vector<json::object> received() const {
        std::istringstream lines(node_.output());
        std::vector<json::object> requests;
        std::string line;
        std::getline(lines, line);
        while (std::getline(lines, line) && !lines.eof()) requests.push_back(json::parse(line).as_object());
        return requests;
    }

    test::TemporaryDirectory directory_;
    ChildProcess node_;
    std::string port_;
};

std::string text_at(const json::object& object, std::string_view name) {
    return json::value_to<std::string>(object.at(name));
}

struct Fixture {
    Http2Receiver receiver;
    Service service{{.database_url = test::TestPostgres::instance().make_database(),
                     .environment = {{"POSTHORN_CA_FILE", receiver.certificate()},
                                     {"POSTHORN_WORKER_THREADS", "1"}}}};  // a connection belongs to a thread
    std::string application = service.make_application();
};

void wait_for_attempt(Fixture& at, const std::string& message) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    const auto path = "/api/v1/app/" + at.application + "/attempt/msg/" + message;
    while (at.service.expect(200, "GET", path).at("data").as_array().empty()) {
        if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("no attempt of " + message);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

}  // namespace

TEST_CASE("an endpoint with http2 gets its deliveries over HTTP/2, signed, on one connection") {
    Fixture at;
    const auto endpoint =
        at.service.make_endpoint(at.application, at.receiver.url("/hook"), {{"http2", true}});
    const std::string payload = R"({"price":10.50,"text":"\u00e4"})";
    std::vector<json::object> got;
    for (std::size_t n = 1; n <= 3; ++n) {
        const auto id = at.service.send(at.application, "order.paid", payload);
        got = at.receiver.wait_for(n);
        CHECK(text_at(got.back().at("headers").as_object(), "webhook-id") == id);
        wait_for_attempt(at, id);  // then its connection is free
    }
    const auto secret = at.service.secret_of(at.application, endpoint);
    for (const auto& one : got) {
        CHECK(text_at(one, "version") == "2.0");
        CHECK(text_at(one, "method") == "POST");
        CHECK(text_at(one, "body") == payload);
        CHECK(one.at("connection") == got.front().at("connection"));
        const auto& headers = one.at("headers").as_object();
        CHECK(text_at(headers, "content-type") == "application/json");
        test::Received request;
        request.id = text_at(headers, "webhook-id");
        request.timestamp = text_at(headers, "webhook-timestamp");
        request.signature = text_at(headers, "webhook-signature");
        request.body = payload;
        CHECK(test::verify(request, secret).reason == "");
    }
}

TEST_CASE("an endpoint without http2 is called over HTTP/1.1 also where HTTP/2 is spoken") {
    Fixture at;
    at.service.make_endpoint(at.application, at.receiver.url("/hook"));
    at.service.send(at.application, "order.paid", "{}");
    CHECK(text_at(at.receiver.wait_for(1)[0], "version") == "1.1");
}

TEST_CASE("a failure over HTTP/2 is retried: a bad status, a reset stream, a connection given up") {
    Fixture at;
    const auto path = GENERATE(as<std::string>(), "/fail", "/reset", "/goaway");
    at.service.make_endpoint(at.application, at.receiver.url(path), {{"http2", true}});
    const auto id = at.service.send(at.application, "order.paid", R"({"n":1})");
    const auto got = at.receiver.wait_for(2);
    for (const auto& request : got) {
        CHECK(text_at(request, "version") == "2.0");
        CHECK(text_at(request, "body") == R"({"n":1})");
        CHECK(text_at(request.at("headers").as_object(), "webhook-id") == id);
    }
}
