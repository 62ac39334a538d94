#include <fmt/format.h>

#include "support/catch.hpp"
#include "support/receiver.hpp"
#include "support/service.hpp"

using namespace posthorn;
using posthorn::test::Answer;
using posthorn::test::Received;
using posthorn::test::Receiver;
using posthorn::test::Service;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// One service for the cases that need nothing special: starting one takes seconds.
Service& service() {
    static Service shared;
    return shared;
}

struct Subscription {
    std::string application, endpoint, secret;
};

Subscription subscribe(Service& to, const Receiver& receiver, boost::json::object more = {}) {
    Subscription made;
    made.application = to.make_application();
    made.endpoint = to.make_endpoint(made.application, receiver.url(), std::move(more));
    made.secret = to.secret_of(made.application, made.endpoint);
    return made;
}

std::int64_t dead_letters(Service& of, const std::string& application) {
    const auto list = of.expect(200, "GET", "/api/v1/app/" + application + "/dead-letter?limit=250");
    return std::ssize(list.at("data").as_array());
}

bool eventually(const std::function<bool()>& condition, milliseconds limit = seconds(30)) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
        if (std::chrono::steady_clock::now() >= deadline) return false;
        std::this_thread::sleep_for(milliseconds(20));
    }
    return true;
}

milliseconds between(const Received& first, const Received& second) {
    return std::chrono::duration_cast<milliseconds>(second.at - first.at);
}

}  // namespace

TEST_CASE("an accepted message arrives signed, byte for byte as it was submitted") {
    Receiver receiver;
    const auto to = subscribe(service(), receiver);
    const std::string payload =
        R"({ "z": 10.50, "a" : "\u00e4\n\/", "b":[1e3,  -0.0, 12345678901234567890],"z":null })";
    const auto id = service().send(to.application, "order.paid", payload);
    REQUIRE(receiver.wait_for(1));
    const auto got = receiver.received().at(0);
    CHECK(got.method == "POST");
    CHECK(got.body == payload);
    CHECK(got.id == id);
    CHECK(test::verify(got, to.secret).reason == "");
    CHECK(*got.fields.find("content-type") == "application/json");
    CHECK(got.fields.find("user-agent")->starts_with("Posthorn/"));
    CHECK(got.fields.find("expect") == nullptr);
    CHECK(got.fields.find("accept-encoding") == nullptr);
}

TEST_CASE("a failing subscriber is retried by the schedule, never early, with the same id and bytes") {
    Receiver receiver;
    receiver.answer_next({{.status = 500}, {.status = 503}, {.status = 302}});
    const auto to = subscribe(service(), receiver);
    service().send(to.application, "order.paid", R"({"n":1})");
    REQUIRE(receiver.wait_for(4));
    const auto got = receiver.received();
    CHECK(between(got[0], got[1]) >= milliseconds(100));
    CHECK(between(got[1], got[2]) >= milliseconds(200));
    CHECK(between(got[2], got[3]) >= milliseconds(400));
    for (const auto& request : got) {
        CHECK(request.id == got[0].id);
        CHECK(request.body == got[0].body);
        CHECK(test::verify(request, to.secret).valid);
    }
    CHECK(eventually([&] {
        const auto attempts =
            service().expect(200, "GET", "/api/v1/app/" + to.application + "/attempt/msg/" + got[0].id);
        return attempts.at("data").as_array().size() == 4;
    }));
}

TEST_CASE("an exhausted delivery is a dead letter, and its replay delivers the original message") {
    Receiver receiver({.status = 500});
    const auto to = subscribe(service(), receiver);
    const auto id = service().send(to.application, "order.paid", R"({"n":10.50})");
    REQUIRE(eventually([&] { return dead_letters(service(), to.application) == 1; }));
    CHECK(receiver.count() == 4);
    receiver.answer_always({.status = 200});
    SECTION("one, resent") {
        service().expect(
            202, "POST",
            fmt::format("/api/v1/app/{}/msg/{}/endpoint/{}/resend", to.application, id, to.endpoint));
    }
    SECTION("all that failed since a time") {
        service().expect(202, "POST",
                         fmt::format("/api/v1/app/{}/endpoint/{}/recover", to.application, to.endpoint),
                         R"({"since":"2020-01-01T00:00:00Z"})");
    }
    SECTION("the dead letters of the application") {
        service().expect(202, "POST", fmt::format("/api/v1/app/{}/dead-letter/replay", to.application), "{}");
    }
    REQUIRE(receiver.wait_for(5));
    const auto got = receiver.received();
    CHECK(got[4].id == id);
    CHECK(got[4].body == got[0].body);
    CHECK(test::verify(got[4], to.secret).valid);
    CHECK(eventually([&] { return dead_letters(service(), to.application) == 0; }));
    CHECK(receiver.count() == 5);
}

TEST_CASE("Retry-After is honoured beyond the schedule") {
    Receiver receiver;
    receiver.answer_next({{.status = 429, .body = "", .fields = {{"Retry-After", "2"}}}});
    const auto to = subscribe(service(), receiver);
    service().send(to.application, "order.paid", "{}");
    REQUIRE(receiver.wait_for(2));
    CHECK(between(receiver.received()[0], receiver.received()[1]) >= seconds(2));
}

TEST_CASE("410 disables the endpoint and nothing more is sent") {
    Receiver receiver({.status = 410});
    const auto to = subscribe(service(), receiver);
    service().send(to.application, "order.paid", "{}");
    const auto path = "/api/v1/app/" + to.application + "/endpoint/" + to.endpoint;
    REQUIRE(eventually([&] { return service().expect(200, "GET", path).at("disabled").as_bool(); }));
    service().send(to.application, "order.paid", "{}");
    CHECK(eventually([&] { return dead_letters(service(), to.application) == 1; }));
    CHECK(receiver.count() == 1);
}

TEST_CASE("a subscriber disables its endpoint, or ends a message, by the header webhook-delivery") {
    Receiver aborts({.status = 500, .body = "", .fields = {{"webhook-delivery", "abort-message"}}});
    Receiver leaves({.status = 200, .body = "", .fields = {{"webhook-delivery", "disable"}}});
    const auto to = subscribe(service(), aborts), from = subscribe(service(), leaves);
    service().send(to.application, "order.paid", "{}");
    service().send(from.application, "order.paid", "{}");
    const auto list = "/api/v1/app/" + to.application + "/dead-letter";
    REQUIRE(eventually([&] { return dead_letters(service(), to.application) == 1; }));
    CHECK(service().expect(200, "GET", list).at("data").at(0).at("reason").as_string() ==
          "aborted-by-receiver");
    const auto endpoint = "/api/v1/app/" + from.application + "/endpoint/" + from.endpoint;
    REQUIRE(eventually([&] { return service().expect(200, "GET", endpoint).at("disabled").as_bool(); }));
    CHECK(aborts.count() == 1);
    CHECK(leaves.count() == 1);
}

TEST_CASE("after a disable was answered no byte of a request is sent (I6)") {
    Receiver receiver({.status = 200, .body = "", .fields = {}, .delay = milliseconds(5)});
    const auto to = subscribe(service(), receiver);
    for (int i = 0; i < 200; ++i) service().send(to.application, "order.paid", "{}");
    REQUIRE(receiver.wait_for(20));
    const auto path = "/api/v1/app/" + to.application + "/endpoint/" + to.endpoint;
    service().expect(200, "PATCH", path, R"({"disabled":true})");
    const auto answered = std::chrono::steady_clock::now();
    // What was on its way in the kernel may still be read by the receiver's thread; nothing may be sent anew.
    CHECK(eventually(
        [&] { return dead_letters(service(), to.application) + std::ssize(receiver.received()) >= 200; }));
    for (const auto& request : receiver.received()) CHECK(request.at <= answered + milliseconds(50));
    const auto before = receiver.count();
    service().send(to.application, "order.paid", "{}");
    CHECK_FALSE(receiver.wait_for(before + 1, milliseconds(500)));
}

TEST_CASE("a deleted application's deliveries are cancelled") {
    Receiver receiver({.status = 500});
    const auto to = subscribe(service(), receiver);
    service().send(to.application, "order.paid", "{}");
    REQUIRE(receiver.wait_for(1));
    service().expect(204, "DELETE", "/api/v1/app/" + to.application);
    const auto before = receiver.count();
    CHECK_FALSE(receiver.wait_for(before + 1, seconds(1)));
}

TEST_CASE("an ordered endpoint gets message n+1 only when n has ended (I7)") {
    Receiver receiver;
    const auto to = subscribe(service(), receiver, {{"ordered", true}});
    receiver.answer_next({{.status = 500}, {.status = 500}, {.status = 200}, {.status = 500}});
    std::vector<std::string> sent;
    for (int i = 0; i < 20; ++i)
        sent.push_back(service().send(to.application, "order.paid", fmt::format(R"({{"n":{}}})", i)));
    REQUIRE(receiver.wait_for(23));
    std::vector<std::string> order;
    for (const auto& request : receiver.received())
        if (order.empty() || order.back() != request.id) order.push_back(request.id);
    CHECK(order == sent);
}

TEST_CASE("a rate limit is enforced") {
    Receiver receiver;
    const auto to = subscribe(service(), receiver, {{"throttleRate", 10}});
    for (int i = 0; i < 30; ++i) service().send(to.application, "order.paid", "{}");
    REQUIRE(receiver.wait_for(30));
    const auto got = receiver.received();
    CHECK(between(got.front(), got.back()) >=
          milliseconds(1'800));  // a burst of one second's worth, then ten a second
}

TEST_CASE("event types, channels and disabled endpoints decide who gets a message") {
    Receiver everything, typed, channelled, off;
    const auto application = service().make_application();
    service().make_endpoint(application, everything.url());
    service().make_endpoint(application, typed.url(), {{"eventTypes", {"order.paid"}}});
    service().make_endpoint(application, channelled.url(), {{"channels", {"eu"}}});
    service().make_endpoint(application, off.url(), {{"disabled", true}});
    const auto path = "/api/v1/app/" + application + "/msg";
    service().expect(202, "POST", path, R"({"eventType":"order.paid","payload":{}})");
    service().expect(202, "POST", path, R"({"eventType":"order.sent","payload":{},"channels":["eu","us"]})");
    REQUIRE(everything.wait_for(2));
    REQUIRE(typed.wait_for(1));
    REQUIRE(channelled.wait_for(1));
    CHECK(off.count() == 0);
    CHECK(typed.count() == 1);
    CHECK(channelled.count() == 1);
}

TEST_CASE("a private address is refused at create and at the attempt, whatever its spelling") {
    Service guarded({.environment = {{"POSTHORN_ALLOW_NETWORKS", "127.0.0.1/32"}}});
    const auto application = guarded.make_application();
    const auto path = "/api/v1/app/" + application + "/endpoint";
    for (const auto* url : {"http://127.0.0.2/", "http://0x7f000002/", "http://2130706434/",
                            "http://0177.0.0.2/", "http://127.2/", "http://[::ffff:127.0.0.2]/",
                            "http://169.254.169.254/latest/meta-data", "http://10.0.0.1/", "http://[::1]/",
                            "http://user:pw@example.com/", "ftp://example.com/", "file:///etc/passwd"}) {
        INFO(url);
        const auto answer = guarded.api("POST", path, fmt::format(R"({{"url":"{}"}})", url));
        CHECK(answer.status == 422);
        CHECK(answer.body.at("detail").at(0).at("loc").at(1).as_string() == "url");
    }
    CHECK(guarded.api("POST", path, R"({"url":"http://127.0.0.1:1/"})").status == 201);
}

TEST_CASE("a repeated idempotency key or event id gives the first answer again and one delivery") {
    Receiver receiver;
    const auto to = subscribe(service(), receiver);
    const auto path = "/api/v1/app/" + to.application + "/msg";
    const std::string body = R"({"eventType":"order.paid","payload":{"n":1},"eventId":"order-1"})";
    const auto first = service().expect(202, "POST", path, body);
    const auto again = service().expect(202, "POST", path, body);
    CHECK(first.at("id") == again.at("id"));
    CHECK(first.at("timestamp") == again.at("timestamp"));
    CHECK(service()
              .api("POST", path, R"({"eventType":"order.paid","payload":{"n":2},"eventId":"order-1"})")
              .status == 409);
    REQUIRE(receiver.wait_for(1));
    CHECK_FALSE(receiver.wait_for(2, milliseconds(300)));
}

TEST_CASE("a rotated secret signs beside the old one until its grace is over") {
    Receiver receiver;
    const auto to = subscribe(service(), receiver);
    const auto path = fmt::format("/api/v1/app/{}/endpoint/{}/secret", to.application, to.endpoint);
    service().expect(204, "POST", path + "/rotate", R"({"gracePeriodSeconds":3600})");
    const auto current = service().secret_of(to.application, to.endpoint);
    REQUIRE(current != to.secret);
    service().send(to.application, "order.paid", "{}");
    REQUIRE(receiver.wait_until([&](const auto& got) {
        return !got.empty() && got.back().signature.find(' ') != std::string::npos;
    }));
    CHECK(test::verify(receiver.received().back(), to.secret).valid);
    CHECK(test::verify(receiver.received().back(), current).valid);
}

TEST_CASE(
    "an endpoint that does nothing but fail for long enough is disabled, and the database remembers since "
    "when") {
    Service strict({.environment = {{"POSTHORN_DISABLE_ENDPOINT_AFTER", "2s"},
                                    {"POSTHORN_RETRY_SCHEDULE", "500ms,1s,1s,1s,1s,1s"}}});
    Receiver receiver({.status = 500});
    const auto to = subscribe(strict, receiver);
    strict.send(to.application, "order.paid", "{}");
    REQUIRE(receiver.wait_for(2));
    strict.stop();  // a restart does not reset it
    strict.start();
    const auto path = "/api/v1/app/" + to.application + "/endpoint/" + to.endpoint;
    REQUIRE(eventually([&] { return strict.expect(200, "GET", path).at("disabled").as_bool(); }));
    CHECK(strict.expect(200, "GET", path).at("disabledReason").as_string() == "failing");
    CHECK(eventually([&] { return dead_letters(strict, to.application) == 1; }));
}
