#include <optional>
#include <sys/resource.h>
#include <unistd.h>

#include "running_server.hpp"
#include "support/catch.hpp"

namespace posthorn::http::test {
namespace {

using namespace std::chrono_literals;

void check_refused(TestClient& client, int status) {
    const auto answer = client.receive();
    CHECK(answer.status == status);
    CHECK(answer.field("Content-Type") == "application/json");
    CHECK(answer.closes());
    CHECK(client.is_closed());
}

TEST_CASE("a body that is said to be too large is refused before it is read") {
    RunningServer server({.body_limit_bytes = 1000});
    auto client = server.connect();
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n");
    check_refused(client, 413);
}

TEST_CASE("a client that asks before sending too large a body gets 413, not 100") {
    RunningServer server({.body_limit_bytes = 1000});
    auto client = server.connect();
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n");
    check_refused(client, 413);
}

TEST_CASE("a client that sends too large a body at once reads the answer rather than a reset") {
    RunningServer server({.body_limit_bytes = 1000});
    auto client = server.connect();
    client.send(post("/echo", std::string(200 * 1024, 'a')));
    const auto answer = client.receive();
    CHECK(answer.status == 413);
}

TEST_CASE("a chunked body is counted as it arrives") {
    RunningServer server({.body_limit_bytes = 1000});
    auto client = server.connect();
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" +
                std::string(1000, 'a') + "\r\n1\r\n");
    check_refused(client, 413);
}

TEST_CASE("of bodies that together hold too much, the largest is refused") {
    RunningServer server({.unfinished_bodies_limit_bytes = 8000});
    auto large = server.connect(), usual = server.connect(), other = server.connect();
    const auto begin = [](TestClient& client, std::size_t length) {
        client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(length) +
                    "\r\n\r\n" + std::string(length - 1, 'a'));
    };
    begin(large, 5000);
    begin(usual, 2000);
    begin(other, 2000);
    check_refused(large, 503);
    for (auto* client : {&usual, &other}) {
        client->send("a");
        CHECK(client->receive().body.size() == 2000);
    }
}

TEST_CASE("too long a header, too many fields and too long a target have their answers") {
    RunningServer server({.header_limit_bytes = 12 * 1024});
    auto long_header = server.connect();
    long_header.send("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(12 * 1024, 'a'));
    check_refused(long_header, 431);
    auto many_fields = server.connect();
    std::string fields;
    for (int i = 0; i < 100; ++i) fields += "X: a\r\n";
    many_fields.send(get("/hello", fields));
    check_refused(many_fields, 431);
    auto long_target = server.connect();
    long_target.send("GET /" + std::string(9 * 1024, 'a'));
    check_refused(long_target, 414);
}

TEST_CASE("a slow header is answered 408, however steadily it drips") {
    RunningServer server({.header_timeout = 300ms});
    auto client = server.connect();
    const auto begin = std::chrono::steady_clock::now();
    client.send_byte_by_byte("GET /hello HT");
    check_refused(client, 408);
    CHECK(std::chrono::steady_clock::now() - begin >= 300ms);
}

TEST_CASE("a slow body is answered 408") {
    RunningServer server({.body_timeout = 100ms});
    auto client = server.connect();
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345");
    check_refused(client, 408);
}

TEST_CASE("an idle connection is closed without an answer, a busy one is not") {
    RunningServer server({.idle_timeout = 300ms});
    auto idle = server.connect();
    auto busy = server.connect();
    busy.send(post("/gated", "a"));
    CHECK(idle.is_closed());
    server.open_gate();
    CHECK(busy.receive().body == "a");
    CHECK(busy.is_closed());
}

TEST_CASE("a client that takes no answer is given up") {
    RunningServer server({.write_timeout = 100ms});
    auto client = server.connect();
    client.send(get("/large") + get("/large"));
    // Not reading: the stop below can only end in time when the write was given up.
    server.stop(60s);
    CHECK(server.ends_within(5s));
}

TEST_CASE("connections beyond the limit are told so and closed") {
    RunningServer server({.connection_limit = 2});
    auto first = server.connect();
    auto second = server.connect();
    first.send(post("/gated", "a"));
    second.send("GET /hel");
    server.wait_for_waiting(1);
    auto third = server.connect();
    const auto answer = third.receive();
    CHECK(answer.status == 503);
    CHECK(answer.closes());
    CHECK(third.is_closed());
    server.open_gate();
    CHECK(first.receive().body == "a");
    CHECK(second.exchange("lo HTTP/1.1\r\nHost: a\r\n\r\n").status == 200);
}

TEST_CASE("beyond the limit of connections the longest idle one makes room") {
    RunningServer server({.connection_limit = 3});
    auto busy = server.connect();
    busy.send(post("/gated", "a"));
    server.wait_for_waiting(1);
    auto longest_idle = server.connect();
    CHECK(longest_idle.exchange(get("/hello")).status == 200);
    auto idle = server.connect();
    CHECK(idle.exchange(get("/hello")).status == 200);
    CHECK(server.connect().exchange(get("/hello")).status == 200);
    CHECK(longest_idle.is_closed());
    CHECK(idle.exchange(get("/hello")).status == 200);
    server.open_gate();
    CHECK(busy.receive().body == "a");
}

// UBSan reads an object's type by way of a pipe, and reports every virtual call as wrong when it gets none.
#if defined(__has_feature)
#if __has_feature(undefined_behavior_sanitizer)
#define POSTHORN_DESCRIPTORS_ARE_NEEDED
#endif
#endif
#ifndef POSTHORN_DESCRIPTORS_ARE_NEEDED
// Leaves the process one descriptor more than it has open.
class OneDescriptorLeft {
public:
    OneDescriptorLeft() {
        ::getrlimit(RLIMIT_NOFILE, &usual_);
        const int lowest_free = ::dup(STDIN_FILENO);
        ::close(lowest_free);
        auto limited = usual_;
        limited.rlim_cur = static_cast<rlim_t>(lowest_free) + 1;
        ::setrlimit(RLIMIT_NOFILE, &limited);
    }
    OneDescriptorLeft(const OneDescriptorLeft&) = delete;
    OneDescriptorLeft& operator=(const OneDescriptorLeft&) = delete;
    ~OneDescriptorLeft() { ::setrlimit(RLIMIT_NOFILE, &usual_); }

private:
    rlimit usual_{};
};

TEST_CASE("a server without descriptors goes on when it has some again") {
    RunningServer server;
    auto served = server.connect();
    CHECK(served.exchange(get("/hello")).status == 200);
    std::optional<TestClient> waiting;
    {
        const OneDescriptorLeft limited;
        waiting.emplace(server.port());  // takes it; the server's end can't be accepted
        waiting->send(get("/hello"));
        CHECK_FALSE(waiting->receives_within(150ms));
        CHECK(served.exchange(get("/hello")).status == 200);
    }
    CHECK(waiting->receive().status == 200);
}
#endif

}  // namespace
}  // namespace posthorn::http::test
