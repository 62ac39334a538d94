// What a message or an endpoint may ask for beyond the compatible API, from the request to the subscriber.
#include <fmt/format.h>

#include "base/timestamp.hpp"
#include "support/catch.hpp"
#include "support/receiver.hpp"
#include "support/service.hpp"

using namespace posthorn;
using posthorn::test::Receiver;
using posthorn::test::Service;
using std::chrono::milliseconds;
using std::chrono::seconds;
namespace json = boost::json;

namespace {

Service& service() {
    static Service shared;
    return shared;
}

std::string send(const std::string& application, const std::string& body) {
    const auto answer = service().expect(202, "POST", "/api/v1/app/" + application + "/msg", body);
    return json::value_to<std::string>(answer.at("id"));
}

json::value explain(const std::string& application, const std::string& message, const std::string& endpoint) {
    return service().expect(
        200, "GET",
        "/api/v1/app/" + application + "/msg/" + message + "/endpoint/" + endpoint + "/explanation");
}

std::string reason(const std::string& application, const std::string& message, const std::string& endpoint) {
    return json::value_to<std::string>(explain(application, message, endpoint).at("reason"));
}

bool becomes(const std::string& wanted, const std::function<std::string()>& value) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(20);
    while (value() != wanted) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(milliseconds(20));
    }
    return true;
}

}  // namespace

TEST_CASE("a message's own headers are sent with it, over those of the endpoint") {
    Receiver receiver;
    const auto application = service().make_application();
    const auto endpoint = service().make_endpoint(application, receiver.url(),
                                                  {{"headers", {{"X-Kept", "1"}, {"X-Both", "endpoint"}}}});
    send(
        application,
        R"({"eventType":"a.b","payload":{},"headers":{"x-both":"message","content-type":"application/cloudevents+json"}})");
    REQUIRE(receiver.wait_for(1));
    const auto got = receiver.received().at(0);
    CHECK(*got.fields.find("x-kept") == "1");
    CHECK(*got.fields.find("x-both") == "message");
    CHECK(*got.fields.find("content-type") == "application/cloudevents+json");
    CHECK(std::count_if(got.fields.all().begin(), got.fields.all().end(), [](const auto& field) {
              return field.first == "x-both" || field.first == "X-Both";
          }) == 1);
    CHECK(test::verify(got, service().secret_of(application, endpoint)).valid);
}

TEST_CASE("a raw payload arrives as it is, signed, also when it is retried from the table") {
    Receiver receiver;
    receiver.answer_next({{.status = 500}});
    const auto application = service().make_application();
    const auto endpoint = service().make_endpoint(application, receiver.url());
    const auto id = send(
        application,
        R"({"eventType":"a.b","payload":{},"transformationsParams":{"rawPayload":"a;b\n\u00e4;\u0000","headers":{"Content-Type":"text/csv"}}})");
    REQUIRE(receiver.wait_for(2));
    for (const auto& got : receiver.received()) {
        CHECK(got.body == std::string("a;b\n\xC3\xA4;\0", 8));
        CHECK(*got.fields.find("content-type") == "text/csv");
        CHECK(test::verify(got, service().secret_of(application, endpoint)).valid);
    }
    const auto message = service().expect(200, "GET", "/api/v1/app/" + application + "/msg/" + id);
    CHECK(json::value_to<std::string>(message.at("payload")) == std::string("a;b\n\xC3\xA4;\0", 8));
}

TEST_CASE("a scheduled message is delivered at its time and not before") {
    Receiver receiver;
    const auto application = service().make_application();
    const auto endpoint = service().make_endpoint(application, receiver.url());
    const auto begun = std::chrono::steady_clock::now();
    const auto deliver_at = format_timestamp(RealClock().system_now() + milliseconds(1500));
    const auto id =
        send(application, R"({"eventType":"a.b","payload":{},"deliverAt":")" + deliver_at + "\"}");
    const auto waiting = explain(application, id, endpoint);
    CHECK(waiting.at("reason") == "scheduled");
    CHECK(waiting.at("until") == json::value(deliver_at));
    send(application, R"({"eventType":"a.b","payload":{"n":2}})");
    REQUIRE(receiver.wait_for(2));
    const auto got = receiver.received();
    CHECK(got[0].id != id);
    CHECK(got[1].id == id);
    CHECK(got[1].at - begun >= milliseconds(1500));
    CHECK(becomes("delivered", [&] { return reason(application, id, endpoint); }));
}

TEST_CASE("tags are stored, shown and looked for") {
    const auto application = service().make_application();
    const auto id = send(application, R"({"eventType":"a.b","payload":{},"tags":["spring","eu"]})");
    send(application, R"({"eventType":"a.b","payload":{},"tags":["eu"]})");
    const auto list = service().expect(200, "GET", "/api/v1/app/" + application + "/msg?tag=spring");
    REQUIRE(list.at("data").as_array().size() == 1);
    CHECK(list.at("data").at(0).at("id") == json::value(id));
    CHECK(list.at("data").at(0).at("tags") == json::value{"spring", "eu"});
    CHECK(list.at("data").at(0).at("deliverAt").is_null());
}

TEST_CASE("a batch's messages each have their own verdict") {
    Receiver receiver;
    const auto application = service().make_application();
    service().make_endpoint(application, receiver.url());
    const std::string batch =
        R"({"messages":[{"eventType":"a.b","payload":{"n":1}},{"eventType":"","payload":{}},)"
        R"({"eventType":"a.b","eventId":"e1","payload":{"n":3}},{"eventType":"a.b","eventId":"e1","payload":{"n":4}}]})";
    const auto path = "/api/v1/app/" + application + "/msg/batch";
    const auto verdicts = service().expect(202, "POST", path, batch).at("data").as_array();
    REQUIRE(verdicts.size() == 4);
    CHECK(verdicts[0].at("status") == 202);
    CHECK(verdicts[0].at("message").at("payload") == json::value{{"n", 1}});
    CHECK(verdicts[1].at("status") == 422);
    CHECK(verdicts[1].at("error").at("detail").at(0).at("loc") ==
          json::value{"body", "messages", "1", "eventType"});
    CHECK(verdicts[2].at("status") == 202);
    CHECK(verdicts[3].at("status") == 409);
    REQUIRE(receiver.wait_for(2));

    SECTION("with mode=all an invalid one keeps all others out") {
        const auto refused = service().api("POST", path + "?mode=all", batch);
        CHECK(refused.status == 422);
        const auto list = service().expect(200, "GET", "/api/v1/app/" + application + "/msg");
        CHECK(list.at("data").as_array().size() == 2);
    }
    SECTION("the application must exist, and the mode be known") {
        CHECK(service()
                  .api("POST", "/api/v1/app/nobody/msg/batch",
                       R"({"messages":[{"eventType":"a","payload":{}}]})")
                  .status == 404);
        CHECK(service().api("POST", path + "?mode=some", batch).status == 422);
    }
    SECTION("500 are taken at once") {
        std::string many;
        for (int i = 0; i < 500; ++i)
            many += fmt::format(R"({}{{"eventType":"a.b","payload":{{"i":{}}}}})", i == 0 ? "" : ",", i);
        const auto all = service()
                             .expect(202, "POST", path + "?mode=all", R"({"messages":[)" + many + "]}")
                             .at("data")
                             .as_array();
        CHECK(all.size() == 500);
        CHECK(std::all_of(all.begin(), all.end(), [](const auto& one) { return one.at("status") == 202; }));
        CHECK(receiver.wait_for(502));
    }
}

TEST_CASE("an endpoint's wildcard subscribes it to everything behind the dot") {
    Receiver receiver;
    const auto application = service().make_application();
    const auto endpoint = service().make_endpoint(application, receiver.url(), {{"eventTypes", {"user.*"}}});
    const auto other = send(application, R"({"eventType":"order.paid","payload":{}})");
    const auto wanted = send(application, R"({"eventType":"user.signup.late","payload":{}})");
    REQUIRE(receiver.wait_for(1));
    CHECK(receiver.received().at(0).id == wanted);
    CHECK(reason(application, other, endpoint) == "event-type");
    CHECK(receiver.count() == 1);
}

TEST_CASE("an endpoint's filter keeps out what it does not match, but not what is resent by hand") {
    Receiver receiver;
    const auto application = service().make_application();
    const auto endpoint = service().make_endpoint(application, receiver.url(),
                                                  {{"filter", {{"total", {{{"numeric", {">", 100}}}}}}}});
    const auto small = send(application, R"({"eventType":"a.b","payload":{"total":99}})");
    const auto big = send(application, R"({"eventType":"a.b","payload":{"total":100.5}})");
    REQUIRE(receiver.wait_for(1));
    CHECK(receiver.received().at(0).id == big);
    CHECK(becomes("filter", [&] { return reason(application, small, endpoint); }));
    CHECK(receiver.count() == 1);
    service().expect(202, "POST",
                     "/api/v1/app/" + application + "/msg/" + small + "/endpoint/" + endpoint + "/resend");
    REQUIRE(receiver.wait_for(2));
    CHECK(receiver.received().at(1).id == small);
}

TEST_CASE("a filter that is wrong is refused with its place") {
    const auto application = service().make_application();
    const auto refused =
        service().api("POST", "/api/v1/app/" + application + "/endpoint",
                      R"({"url":"http://127.0.0.1:9/","filter":{"a":{"b":[{"numeric":["<"]}]}}})");
    CHECK(refused.status == 422);
    const auto& loc = refused.body.at("detail").at(0).at("loc").as_array();
    REQUIRE(loc.size() >= 4);
    CHECK(loc[1] == "filter");
    CHECK(loc[2] == "a");
    CHECK(loc[3] == "b");
}

TEST_CASE("an endpoint's own schedule and timeout are used") {
    Receiver receiver;
    receiver.answer_always({.status = 200, .delay = seconds(3)});
    const auto application = service().make_application();
    const auto endpoint = service().make_endpoint(application, receiver.url(),
                                                  {{"timeoutSeconds", 1}, {"retrySchedule", json::array{}}});
    const auto id = send(application, R"({"eventType":"a.b","payload":{}})");
    CHECK(becomes("exhausted", [&] { return reason(application, id, endpoint); }));
    CHECK(receiver.count() == 1);
    const auto shown = service().expect(200, "GET", "/api/v1/app/" + application + "/endpoint/" + endpoint);
    CHECK(shown.at("timeoutSeconds") == 1);
    CHECK(shown.at("retrySchedule") == json::value(json::array{}));
    // A client of the compatible API, which knows neither, does not take them away.
    const auto put = service().expect(200, "PUT", "/api/v1/app/" + application + "/endpoint/" + endpoint,
                                      R"({"url":")" + receiver.url() + "\"}");
    CHECK(put.at("timeoutSeconds") == 1);
    const auto patched =
        service().expect(200, "PATCH", "/api/v1/app/" + application + "/endpoint/" + endpoint,
                         R"({"timeoutSeconds":null,"retrySchedule":null})");
    CHECK(patched.at("timeoutSeconds").is_null());
    for (const auto* wrong : {R"({"timeoutSeconds":0})", R"({"timeoutSeconds":61})",
                              R"({"retrySchedule":[0]})", R"({"retrySchedule":["5s"]})", R"({"filter":[]})",
                              R"({"eventTypes":["*"]})", R"({"eventTypes":["a*.b"]})"})
        CHECK(service().api("PATCH", "/api/v1/app/" + application + "/endpoint/" + endpoint, wrong).status ==
              422);
}

TEST_CASE("why a message was not delivered has a plain answer") {
    Receiver receiver;
    receiver.answer_always({.status = 500});
    const auto application = service().make_application();
    const auto early = send(application, R"({"eventType":"a.b","payload":{}})");
    const auto off = service().make_endpoint(application, receiver.url(), {{"disabled", true}});
    const auto channelled = service().make_endpoint(application, receiver.url(), {{"channels", {"eu"}}});
    const auto failing = service().make_endpoint(application, receiver.url(), {{"retrySchedule", {3600}}});
    const auto id = send(application, R"({"eventType":"a.b","payload":{}})");
    CHECK(reason(application, early, failing) == "endpoint-newer");
    CHECK(reason(application, id, off) == "endpoint-disabled");
    CHECK(reason(application, id, channelled) == "channel");
    CHECK(becomes("retrying", [&] { return reason(application, id, failing); }));
    const auto explanation = explain(application, id, failing);
    CHECK(explanation.at("state") == "waiting");
    CHECK(explanation.at("until").is_string());
    const auto base = "/api/v1/app/" + application + "/endpoint/";
    service().expect(200, "PATCH", base + failing, R"({"disabled":true})");
    CHECK(becomes("endpoint-disabled", [&] { return reason(application, id, failing); }));
    CHECK(becomes("failed", [&] {
        return json::value_to<std::string>(explain(application, id, failing).at("state"));
    }));
    // Enabled since: it was disabled when the message came.
    service().expect(200, "PATCH", base + off, R"({"disabled":false})");
    CHECK(reason(application, id, off) == "endpoint-disabled");
    CHECK(service()
              .api("GET", "/api/v1/app/" + application + "/msg/" + id + "/endpoint/nobody/explanation")
              .status == 404);
}

TEST_CASE("an ordered endpoint's message says how many come before it") {
    Receiver receiver;
    receiver.answer_always({.status = 500});
    const auto application = service().make_application();
    const auto endpoint =
        service().make_endpoint(application, receiver.url(), {{"ordered", true}, {"retrySchedule", {3600}}});
    send(application, R"({"eventType":"a.b","payload":{}})");
    send(application, R"({"eventType":"a.b","payload":{}})");
    const auto third = send(application, R"({"eventType":"a.b","payload":{}})");
    REQUIRE(receiver.wait_for(1));
    const auto explanation = explain(application, third, endpoint);
    CHECK(explanation.at("reason") == "ordered");
    CHECK(explanation.at("waitingFor") == 2);
}
