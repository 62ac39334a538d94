#include <atomic>
#include <cerrno>
#include <fmt/format.h>
#include <set>
#include <thread>

#include "base/encoding.hpp"
#include "cli/descriptor_limit.hpp"
#include "support/catch.hpp"
#include "support/receiver.hpp"
#include "support/service.hpp"
#include "support/test_client.hpp"

using namespace posthorn;
using http::test::get;
using http::test::post;
using http::test::TestClient;
using posthorn::test::Receiver;
using posthorn::test::Service;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr milliseconds at_once{2'000};  // a machine under load
constexpr std::size_t idle_clients = 10'000;

// One service for all; its HTTP server has one loop, so that nobody escapes to another.
Service& service() {
    static Service shared({.environment = {{"POSTHORN_HTTP_THREADS", "1"}}});
    return shared;
}
std::uint16_t port() {
    const auto& url = service().url();
    return static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
}
TestClient connect(seconds patience = seconds(15)) { return TestClient(port(), patience); }
std::string authorization() { return "Authorization: Bearer " + service().token() + "\r\n"; }

// Somebody else, who must not notice anything.
void check_served_at_once() {
    const auto began = std::chrono::steady_clock::now();
    CHECK(connect().exchange(get("/api/v1/app", authorization())).status == 200);
    CHECK(std::chrono::steady_clock::now() - began < at_once);
}

std::string creates(const std::string& uid) {
    return post("/api/v1/app", fmt::format(R"({{"name":"x","uid":"{}"}})", uid), authorization());
}

}  // namespace

TEST_CASE("what a proxy could read differently is refused, and what hides behind it is never run") {
    const std::string head = "POST /api/v1/app HTTP/1.1\r\nHost: test\r\n" + authorization();
    const std::string chunked = head + "Transfer-Encoding: chunked\r\n\r\n";
    const std::vector<std::pair<std::string, std::string>> shapes{
        {"both lengths", head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {"both lengths, the other way round",
         head + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"},
        {"two lengths", head + "Content-Length: 0\r\nContent-Length: 2\r\n\r\n"},
        {"two lengths in one", head + "Content-Length: 0, 2\r\n\r\n"},
        {"a length with a sign", head + "Content-Length: +2\r\n\r\n{}"},
        {"white space before the colon", head + "Content-Length : 2\r\n\r\n{}"},
        {"a space in a name", head + "Content Length: 2\r\n\r\n{}"},
        {"a folded line", head + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"},
        {"a bare CR", head + "X: a\rContent-Length: 2\r\n\r\n"},
        {"a bare LF", head + "X: a\nContent-Length: 2\r\n\r\n"},
        {"a NUL", head + std::string("X: a\0b\r\n\r\n", 10)},
        {"chunked in another word", head + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
        {"chunked twice", head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {"an encoding that is not the last", head + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"},
        {"chunked in HTTP/1.0",
         "POST /api/v1/app HTTP/1.0\r\n" + authorization() + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {"a chunk size without its end", chunked + "0\n\n"},
        {"a bare LF in a chunk extension", chunked + "2;a\n\r\n{}\r\n0\r\n\r\n"},
        {"a bare CR in a chunk extension", chunked + "2;a\rb\r\n{}\r\n0\r\n\r\n"},
        {"a chunk without its end", chunked + "2\r\n{}0\r\n\r\n"},
        {"a chunk with another end", chunked + "2\r\n{}\n\n0\r\n\r\n"},
        {"a chunk size of a sign", chunked + "-2\r\n{}\r\n0\r\n\r\n"},
        {"a chunk size of 0x", chunked + "0x2\r\n{}\r\n0\r\n\r\n"},
        {"a chunk size beyond all", chunked + "ffffffffffffffffff\r\n{}\r\n0\r\n\r\n"},
        {"a trailer line without CR", chunked + "2\r\n{}\r\n0\r\nX: a\n\r\n"},
        {"two hosts", "POST /api/v1/app HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 2\r\n\r\n{}"},
        {"HTTP/0.9", "GET /api/v1/health\r\n\r\n"},
        {"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
    };
    for (const auto& [name, shape] : shapes) {
        INFO(name);
        auto client = connect();
        client.send(shape + creates("smuggled"));
        const auto answer = client.receive();
        CHECK((answer.status == 400 || answer.status == 413 || answer.status == 505));
        CHECK(answer.closes());
        CHECK(client.is_closed());
    }
    CHECK(service().api("GET", "/api/v1/app/smuggled").status == 404);
}

TEST_CASE("clients that drip are ended at the deadline, and meanwhile nobody else waits") {
    constexpr std::size_t drippers = 300;
    std::vector<TestClient> in_header, in_body;
    for (std::size_t i = 0; i < drippers; ++i) {
        in_header.push_back(connect(seconds(30)));
        in_header.back().send("POST /api/v1/app HTTP/1.1\r\nX: ");
        in_body.push_back(connect(seconds(30)));
        in_body.back().send("POST /api/v1/app HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{");
    }
    const auto began = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - began < seconds(8)) {  // the header's deadline is 10 s
        for (auto& client : in_header) client.send("a");
        for (auto& client : in_body) client.send(" ");
        check_served_at_once();
        std::this_thread::sleep_for(milliseconds(500));
    }
    for (auto& client : in_header) {
        CHECK(client.receive().status == 408);
        CHECK(client.is_closed());
    }
    CHECK(std::chrono::steady_clock::now() - began < seconds(15));
    CHECK_FALSE(in_body.front().receives_within(milliseconds(0)));  // has 30 s
}

TEST_CASE("a flood of pipelined requests is answered whole and in order, and meanwhile nobody else waits") {
    constexpr int requests = 20'000;
    auto client = connect(seconds(30));
    std::atomic<bool> sent = false;
    std::thread flood([&] {
        std::string bytes;
        for (int i = 0; i < requests; ++i)
            bytes += get("/api/v1/health", fmt::format("X-Request-Id: {}\r\n", i));
        client.send(bytes);  // ends only while answers are read
        sent = true;
    });
    for (int i = 0; i < 5; ++i) check_served_at_once();
    for (int i = 0; i < requests; ++i) {
        const auto answer = client.receive();
        REQUIRE(answer.status == 204);
        REQUIRE(answer.field("X-Request-Id") == std::to_string(i));
    }
    flood.join();
    CHECK(sent);
}

TEST_CASE("deep and huge JSON is refused in plain words, on every route that takes a body") {
    const auto application = service().make_application();
    const auto app = "/api/v1/app/" + application;
    const std::string deep = R"({"a":)" + std::string(400'000, '[') + std::string(400'000, ']') + "}";
    for (const auto& path :
         {std::string("/api/v1/app"), app + "/msg", app + "/msg/batch", app + "/endpoint",
          std::string("/api/v1/event-type"), std::string("/api/v1/event-type/import/openapi"),
          std::string("/api/v1/api-key")}) {
        for (const auto& body :
             {deep, std::string(1'000'000, '['), std::string(R"({"payload":)") + std::string(900'000, '{')}) {
            INFO(path);
            CHECK(service().api("POST", path, body).status == 422);
        }
        auto huge = connect();
        huge.send(post(path, std::string(1'048'577, ' '), authorization()).substr(0, 1'000));
        CHECK(huge.receive().status == 413);
    }
    check_served_at_once();
}

TEST_CASE("tokens that are forged, old, cut or huge are refused in the same way") {
    const auto token = service().token();
    const auto first = token.find('.'), last = token.rfind('.');
    const auto claims = token.substr(first, last - first);
    const auto refused = [&](const std::string& forged) {
        INFO(forged.substr(0, 100));
        auto client = connect();
        const auto answer = client.exchange(get("/api/v1/app", "Authorization: Bearer " + forged + "\r\n"));
        CHECK(answer.status == 401);
        CHECK(answer.body.find("authentication_failed") != std::string::npos);
        CHECK(answer.body.find(token.substr(last + 1)) == std::string::npos);
    };
    refused(base64url_encode(R"({"alg":"none"})") + claims + ".");
    refused(base64url_encode(R"({"alg":"None","typ":"JWT"})") + claims + token.substr(last));
    refused(base64url_encode(R"({"alg":"RS256"})") + claims + token.substr(last));
    refused(token.substr(0, last));
    refused(token.substr(0, last + 1));
    refused(token.substr(0, token.size() - 1));
    refused(token + "A");
    refused(token + "." + token);
    refused("." + token.substr(first));
    refused("A" + token.substr(1));
    refused(std::string(5'000, 'A'));
    refused("phk_" + std::string(4'000, 'A'));
    auto client = connect();
    CHECK(client.exchange(get("/api/v1/app", "Authorization: Bearer " + std::string(20'000, 'A') + "\r\n"))
              .status == 431);
}

TEST_CASE(
    "a client that is gone before its answer: the message is kept, and the same key gives the first answer") {
    Receiver receiver;
    const auto application = service().make_application();
    service().make_endpoint(application, receiver.url());
    const auto path = fmt::format("/api/v1/app/{}/msg", application);
    constexpr std::size_t count = 50;
    const auto body = [](std::size_t i) {
        return fmt::format(R"({{"eventType":"order.paid","payload":{{"n":{}}}}})", i);
    };
    for (std::size_t i = 0; i < count; ++i)
        connect().send(post(path, body(i), authorization() + fmt::format("Idempotency-Key: gone-{}\r\n", i)));
    // What was delivered was committed; its answer nobody read.
    REQUIRE(receiver.wait_for(count));
    std::set<std::string> delivered, answered;
    for (const auto& request : receiver.received()) delivered.insert(request.id);
    for (std::size_t i = 0; i < count; ++i) {
        const auto again = service().api("POST", path, body(i), std::nullopt,
                                         {{"Idempotency-Key", fmt::format("gone-{}", i)}});
        REQUIRE(again.status == 202);
        answered.insert(std::string(again.body.at("id").as_string()));
    }
    CHECK(delivered.size() == count);
    CHECK(answered == delivered);
    CHECK_FALSE(receiver.wait_for(count + 1, milliseconds(300)));
}

TEST_CASE("ten thousand idle connections keep nobody else out") {
    const auto allowed =
        posthorn::cli::raise_descriptor_limit().value();             // this process holds the clients' ends
    const auto count = std::min(idle_clients + 100, allowed - 200);  // more than the server keeps
    if (count < idle_clients)
        WARN("only " << allowed << " descriptors are allowed here: " << count << " idle connections");
    std::vector<TestClient> idle;
    idle.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        idle.push_back(connect());
        if (i % 1'000 == 0) check_served_at_once();
    }
    for (int i = 0; i < 20; ++i) check_served_at_once();
    CHECK(idle.back().exchange(get("/api/v1/health")).status == 204);
}
