// What an organization is told about its own endpoints and messages, through Posthorn itself.
#include <algorithm>
#include <fmt/format.h>

#include "base/clock.hpp"
#include "domain/access_token.hpp"
#include "support/api_contract.hpp"
#include "support/catch.hpp"
#include "support/receiver.hpp"
#include "support/service.hpp"

using namespace posthorn;
using posthorn::test::Receiver;
using posthorn::test::Service;
using std::chrono::seconds;
namespace json = boost::json;

namespace {

constexpr std::string_view operational = "/api/v1/operational-webhook/endpoint";

std::string text(const json::value& object, std::string_view field) {
    return json::value_to<std::string>(object.at(field));
}

// A service whose organization listens to everything that it can be told, and one customer.
struct Operations {
    explicit Operations(std::map<std::string, std::string> environment = {})
        : service({.database_url = {}, .environment = std::move(environment)}) {
        const auto made = service.expect(201, "POST", std::string(operational),
                                         json::serialize(json::object{{"url", desk.url()}}));
        endpoint = text(made, "id");
        secret = text(service.expect(200, "GET", fmt::format("{}/{}/secret", operational, endpoint)), "key");
        application = service.make_application("customer");
    }

    // What the desk has been told, oldest first: valid by the document, each once, signed.
    std::vector<json::value> told(const std::string& type) {
        std::vector<json::value> found;
        for (const auto& got : desk.received()) {
            CHECK(test::verify(got, secret).reason == "");
            CHECK_NOTHROW(test::check_operational_webhook(got.body));
            auto body = json::parse(got.body);
            if (text(body, "type") == type) found.push_back(body.at("data"));
        }
        return found;
    }

    json::value wait_for(const std::string& type, const std::string& about_endpoint = {}) {
        const auto is_it = [&](const test::Received& got) {
            const auto body = json::parse(got.body);
            return text(body, "type") == type &&
                   (about_endpoint.empty() || text(body.at("data"), "endpointId") == about_endpoint);
        };
        const bool came = desk.wait_until(
            [&](const auto& all) { return std::any_of(all.begin(), all.end(), is_it); }, seconds(60));
        INFO(type);
        REQUIRE(came);
        for (const auto& data : told(type))
            if (about_endpoint.empty() || text(data, "endpointId") == about_endpoint) return data;
        return {};
    }

    std::string path(const std::string& of) const {
        return fmt::format("/api/v1/app/{}/endpoint/{}", application, of);
    }

    Receiver desk;
    Service service;
    std::string endpoint, secret, application;
};

}  // namespace

TEST_CASE("an organization is told what happens to its endpoints") {
    Operations at;
    const auto made = at.service.make_endpoint("customer", "http://127.0.0.1:9/", {{"uid", "theirs"}});
    const auto created = at.wait_for("endpoint.created");
    CHECK(text(created, "appId") == at.application);
    CHECK(text(created, "appUid") == "customer");
    CHECK(text(created, "endpointId") == made);
    CHECK(text(created, "endpointUid") == "theirs");

    at.service.expect(200, "PATCH", at.path(made), R"({"description":"new"})");
    CHECK(text(at.wait_for("endpoint.updated"), "endpointId") == made);
    at.service.expect(200, "PATCH", at.path(made), R"({"disabled":true})");
    const auto disabled = at.wait_for("endpoint.disabled");
    CHECK(text(disabled, "trigger") == "manual");
    CHECK(text(disabled, "reason") == "manual");
    at.service.expect(200, "PATCH", at.path(made), R"({"disabled":false})");
    at.wait_for("endpoint.enabled", made);
    at.service.expect(204, "POST", at.path(made) + "/secret/rotate", "{}");
    at.wait_for("endpoint.secret.rotated", made);
    at.service.expect(204, "DELETE", at.path(made));
    at.wait_for("endpoint.deleted", made);
    // Each once, and nothing of the organization's own endpoint.
    for (const auto* type : {"endpoint.created", "endpoint.updated", "endpoint.disabled", "endpoint.enabled",
                             "endpoint.secret.rotated", "endpoint.deleted"}) {
        INFO(type);
        CHECK(at.told(type).size() == 1);
    }
}

TEST_CASE("a message's fourth failure, its end and its late success are told, and a replay's end") {
    Operations at;
    Receiver subscriber({.status = 503});
    const auto made =
        at.service.make_endpoint("customer", subscriber.url(), {{"retrySchedule", {1, 1, 1, 1}}});
    const auto message = text(at.service.expect(202, "POST", "/api/v1/app/customer/msg",
                                                R"({"eventType":"a.b","eventId":"e-1","payload":{}})"),
                              "id");
    const auto exhausted = at.wait_for("message.attempt.exhausted");
    const auto failing = at.told("message.attempt.failing");
    REQUIRE(failing.size() == 1);
    for (const auto& data : {failing[0], exhausted}) {
        CHECK(text(data, "msgId") == message);
        CHECK(text(data, "msgEventId") == "e-1");
        CHECK(text(data, "endpointId") == made);
        CHECK(data.at("lastAttempt").at("responseStatusCode").as_int64() == 503);
    }
    CHECK(failing[0].at("reason").is_null());
    CHECK(text(exhausted, "reason") == "exhausted");
    const auto attempts = at.service.expect(200, "GET", "/api/v1/app/customer/attempt/msg/" + message);
    CHECK(text(exhausted.at("lastAttempt"), "id") == text(attempts.at("data").as_array().at(0), "id"));
    CHECK(text(failing[0].at("lastAttempt"), "id") == text(attempts.at("data").as_array().at(1), "id"));

    subscriber.answer_always({.status = 200});
    const auto replay = text(
        at.service.expect(202, "POST", at.path(made) + "/recover", R"({"since":"2020-01-01T00:00:00Z"})"),
        "id");
    const auto recovered = at.wait_for("message.attempt.recovered");
    CHECK(text(recovered, "msgId") == message);
    CHECK(recovered.at("lastAttempt").at("responseStatusCode").as_int64() == 200);
    const auto completed = at.wait_for("replay.completed");
    CHECK(text(completed, "replayId") == replay);
    CHECK(text(completed, "kind") == "endpoint.recover");
    CHECK(completed.at("replayed").as_int64() == 1);
    // What goes well at once is not worth a word.
    at.service.send("customer", "a.b", "{}");
    REQUIRE(subscriber.wait_for(7));
    CHECK(at.told("message.attempt.recovered").size() == 1);
}

TEST_CASE("an endpoint that fails and recovers is told of once, and one that is gone") {
    Operations at({{"POSTHORN_RETRY_SCHEDULE", "1s,1s,1s,1s,1s,1s,1s,1s,1s,1s"}});
    Receiver subscriber({.status = 500});
    const auto made = at.service.make_endpoint("customer", subscriber.url());
    for (int i = 0; i < 12; ++i) at.service.send("customer", "a.b", "{}");
    at.wait_for("endpoint.failing", made);
    subscriber.answer_always({.status = 200});
    const auto recovered = at.wait_for("endpoint.recovered", made);
    CHECK_FALSE(recovered.at("failSince").is_null());
    CHECK(at.told("endpoint.failing").size() == 1);

    subscriber.answer_always({.status = 410});
    at.service.send("customer", "a.b", "{}");
    const auto disabled = at.wait_for("endpoint.disabled", made);
    CHECK(text(disabled, "trigger") == "automatic");
    CHECK(text(disabled, "reason") == "gone");
    CHECK(text(at.wait_for("message.attempt.exhausted"), "reason") == "gone");
}

TEST_CASE("a backlog is told of") {
    Operations at({{"POSTHORN_BACKLOG_THRESHOLD", "10"}});
    Receiver subscriber;
    subscriber.hold();
    const auto made = at.service.make_endpoint("customer", subscriber.url());
    for (int i = 0; i < 30; ++i) at.service.send("customer", "a.b", "{}");
    at.service.kill();  // the process that is started next looks as soon as it has shards
    at.service.start();
    CHECK(at.wait_for("backlog.threshold", made).at("threshold").as_int64() == 10);
    subscriber.release();
}

TEST_CASE("nobody is told about the operational webhooks themselves") {
    Operations at;
    at.desk.answer_always({.status = 500});
    const auto made = at.service.make_endpoint("customer", "http://127.0.0.1:9/");
    REQUIRE(at.desk.wait_for(4));  // all attempts at endpoint.created
    const auto dead = [&] {
        return at.service.expect(200, "GET", "/api/v1/app/operational-webhooks/dead-letter")
            .at("data")
            .as_array()
            .size();
    };
    const auto deadline = std::chrono::steady_clock::now() + seconds(30);
    while (dead() == 0 && std::chrono::steady_clock::now() < deadline)
        std::this_thread::sleep_for(seconds(1) / 20);
    CHECK(dead() == 1);
    at.desk.answer_always({.status = 200});
    at.service.expect(200, "PATCH", fmt::format("{}/{}", operational, at.endpoint), R"({"description":"x"})");
    at.service.expect(204, "DELETE", at.path(made));
    at.wait_for("endpoint.deleted", made);
    const auto messages =
        at.service.expect(200, "GET", "/api/v1/app/operational-webhooks/msg").at("data").as_array();
    std::vector<std::string> types;
    for (const auto& message : messages) types.push_back(text(message, "eventType"));
    CHECK(types == std::vector<std::string>{"endpoint.deleted", "endpoint.created"});
}

TEST_CASE("operational webhooks are the organization's, and are chosen by type") {
    Operations at;
    const auto made = at.service.make_endpoint("customer", "http://127.0.0.1:9/");
    at.wait_for("endpoint.created", made);
    at.service.expect(200, "PATCH", fmt::format("{}/{}", operational, at.endpoint),
                      R"({"eventTypes":["endpoint.deleted"]})");
    at.service.expect(200, "PATCH", at.path(made), R"({"description":"not told"})");
    at.service.expect(204, "DELETE", at.path(made));
    at.wait_for("endpoint.deleted", made);
    CHECK(at.told("endpoint.updated").empty());

    const auto customer =
        at.service.token_of(domain::default_organization(), ApplicationId::parse(at.application).value());
    at.service.expect(403, "GET", std::string(operational), {}, customer);
    const auto stranger = at.service.token_of(OrganizationId::make(RealClock().system_now()));
    CHECK(
        at.service.expect(200, "GET", std::string(operational), {}, stranger).at("data").as_array().empty());
    at.service.expect(404, "GET", fmt::format("{}/{}", operational, at.endpoint), {}, stranger);
    // Its application is in no list, and is neither changed nor deleted.
    CHECK(at.service.expect(200, "GET", "/api/v1/app").at("data").as_array().size() == 1);
    at.service.expect(404, "DELETE", "/api/v1/app/operational-webhooks");
    at.service.expect(404, "PATCH", "/api/v1/app/operational-webhooks", R"({"name":"x"})");
    at.service.expect(422, "POST", "/api/v1/app", R"({"name":"x","uid":"operational-webhooks"})");
}
