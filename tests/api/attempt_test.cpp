#include <fmt/format.h>

#include "base/timestamp.hpp"
#include "support/api_fixture.hpp"
#include "support/catch.hpp"
#include "support/delivery_rows.hpp"

using namespace posthorn;
using namespace posthorn::test;
using http::Method;
using std::chrono::minutes;

namespace {
using Ids = std::vector<std::string>;

struct AttemptFixture : ApiFixture {
    std::string app = make_application();
    ApplicationId application = *ApplicationId::parse(app);
    EndpointId endpoint = *EndpointId::parse(make_endpoint(app));
    EndpointId other_endpoint = *EndpointId::parse(make_endpoint(app));
    DeliveryRows rows{conninfo()};

    SystemTime ago(minutes time) const { return clock.system_now() - time; }
    std::string of_app(const std::string& rest) const { return "/api/v1/app/" + app + rest; }
    std::string of_endpoint(const std::string& query = {}) const {
        return of_app("/attempt/endpoint/" + endpoint.str() + query);
    }
    AttemptId attempt(MessageId message, minutes time, int status, const std::string& response = "ok") const {
        return rows.attempt(application, endpoint, message, ago(time),
                            {.status_code = status, .response = response});
    }
    Ids ids(const std::string& target) {
        Ids found;
        const auto answer = expect(200, Method::get, target);
        for (const auto& item : answer.at("data").as_array()) found.push_back(text_at(item, "id"));
        return found;
    }
    std::string status_of(const std::string& target, std::size_t item = 0) {
        return text_at(expect(200, Method::get, target).at("data").at(item), "statusText");
    }
};
}  // namespace

TEST_CASE("an endpoint's attempts are listed newest first with all their fields") {
    AttemptFixture api;
    const auto message = api.rows.message(api.application, api.ago(minutes(9)));
    const auto first = api.attempt(message, minutes(8), 500,
                                   "a\xff"
                                   "b");
    const auto second =
        api.rows.attempt(api.application, api.endpoint, message, api.ago(minutes(7)), {.manual = true});
    api.rows.attempt(api.application, api.other_endpoint, message, api.ago(minutes(6)), {});
    CHECK(api.ids(api.of_endpoint()) == Ids{second.str(), first.str()});
    const auto attempts = api.expect(200, Method::get, api.of_endpoint()).at("data").as_array();
    CHECK(text_at(attempts[0], "status") == "0");
    CHECK(text_at(attempts[0], "statusText") == "success");
    CHECK(text_at(attempts[0], "triggerType") == "1");
    CHECK(text_at(attempts[0], "response") == "ok");
    CHECK(text_at(attempts[1], "status") == "2");
    CHECK(text_at(attempts[1], "statusText") == "fail");
    CHECK(text_at(attempts[1], "triggerType") == "0");
    CHECK(text_at(attempts[1], "response") ==
          "a\xEF\xBF\xBD"
          "b");
    CHECK(text_at(attempts[1], "responseStatusCode") == "500");
    CHECK(text_at(attempts[1], "responseDurationMs") == "12");
    CHECK(text_at(attempts[1], "msgId") == message.str());
    CHECK(text_at(attempts[1], "endpointId") == api.endpoint.str());
    CHECK(text_at(attempts[1], "url") == "http://127.0.0.1/hook");
    const auto bare = api.expect(200, Method::get, api.of_endpoint("?with_content=false"));
    CHECK(text_at(bare.at("data").at(1), "response").empty());
}

TEST_CASE("attempts are filtered and paged in both directions") {
    AttemptFixture api;
    const auto plain = api.rows.message(api.application, api.ago(minutes(20)), {.event_type = "plain"});
    const auto tagged =
        api.rows.message(api.application, api.ago(minutes(20)), {.event_type = "tagged", .channels = {"c"}});
    const auto refused = api.attempt(plain, minutes(19), 0).str();
    const auto moved = api.attempt(plain, minutes(18), 302).str();
    const auto failed = api.attempt(tagged, minutes(17), 503).str();
    const auto done = api.attempt(tagged, minutes(16), 204).str();
    CHECK(api.ids(api.of_endpoint("?status=0")) == Ids{done});
    CHECK(api.ids(api.of_endpoint("?status=2")) == Ids{failed, moved, refused});
    CHECK(api.ids(api.of_endpoint("?status=1")).empty());
    CHECK(api.ids(api.of_endpoint("?status_code_class=0")) == Ids{refused});
    CHECK(api.ids(api.of_endpoint("?status_code_class=300")) == Ids{moved});
    CHECK(api.ids(api.of_endpoint("?status_code_class=500")) == Ids{failed});
    CHECK(api.ids(api.of_endpoint("?event_types=tagged")) == Ids{done, failed});
    CHECK(api.ids(api.of_endpoint("?channel=c&status=2")) == Ids{failed});
    CHECK(api.ids(api.of_endpoint("?after=" + format_timestamp(api.ago(minutes(18))))) ==
          Ids{done, failed, moved});
    CHECK(api.ids(api.of_endpoint("?before=" + format_timestamp(api.ago(minutes(18))))) == Ids{refused});
    CHECK(api.ids(api.of_endpoint("?limit=2&iterator=" + failed)) == Ids{moved, refused});
    CHECK(api.ids(api.of_endpoint("?limit=2&iterator=-" + refused)) == Ids{failed, moved});
    CHECK(api.ids(api.of_endpoint("?limit=1&status=2&iterator=-" + moved)) == Ids{failed});
    CHECK(api.call(Method::get, api.of_endpoint("?status=4&status_code_class=250")).status == 422);
}

TEST_CASE("a message's attempts are listed for all or one of its endpoints") {
    AttemptFixture api;
    const auto message =
        api.rows.message(api.application, api.ago(minutes(9)), {.event_type = "a", .event_id = "order-7"});
    const auto unrelated = api.rows.message(api.application, api.ago(minutes(9)));
    const auto here = api.attempt(message, minutes(8), 500).str();
    const auto there =
        api.rows.attempt(api.application, api.other_endpoint, message, api.ago(minutes(7)), {}).str();
    api.attempt(unrelated, minutes(6), 200);
    api.expect(200, Method::patch, api.of_app("/endpoint/" + api.endpoint.str()), R"({"uid":"mine"})");
    const auto of_message = [&](const std::string& query) {
        return api.of_app("/attempt/msg/" + message.str() + query);
    };
    CHECK(api.ids(of_message("")) == Ids{there, here});
    CHECK(api.ids(api.of_app("/attempt/msg/order-7")) == Ids{there, here});
    CHECK(api.ids(of_message("?endpoint_id=" + api.endpoint.str())) == Ids{here});
    CHECK(api.ids(of_message("?endpoint_id=mine")) == Ids{here});
    CHECK(api.call(Method::get, of_message("?endpoint_id=nobodys")).status == 404);
    CHECK(api.ids(of_message("?status=0")) == Ids{there});
    CHECK(api.ids(of_message("?status_code_class=500")) == Ids{here});
    CHECK(api.ids(of_message("?event_types=a")) == Ids{there, here});
    CHECK(api.ids(of_message("?event_types=b")).empty());
    CHECK(api.ids(of_message("?limit=1&iterator=-" + here)) == Ids{there});
    CHECK(api.ids(of_message("?after=" + format_timestamp(api.ago(minutes(7))))) == Ids{there});
}

TEST_CASE("an attempt is read, and its response expunged") {
    AttemptFixture api;
    const auto message = api.rows.message(api.application, api.ago(minutes(9)));
    const auto other = api.rows.message(api.application, api.ago(minutes(9)));
    const auto id = api.attempt(message, minutes(8), 200, "a password").str();
    const auto path = api.of_app("/msg/" + message.str() + "/attempt/" + id);
    CHECK(text_at(api.expect(200, Method::get, path), "response") == "a password");
    CHECK(api.call(Method::get, api.of_app("/msg/" + other.str() + "/attempt/" + id)).status == 404);
    CHECK(api.call(Method::get, api.of_app("/msg/" + message.str() + "/attempt/nothing")).status == 404);
    CHECK(api.call(Method::get, path, {}, api.token_of(api.other_organization())).status == 404);
    CHECK(api.call(Method::del, path + "/content", {}, api.token_of(api.other_organization())).status == 404);
    api.expect(204, Method::del, path + "/content");
    CHECK(text_at(api.expect(200, Method::get, path), "response") == "EXPUNGED");
    CHECK(api.sql("SELECT count(*) FROM audit_log WHERE action = 'attempt.expunge'") == "1");
}

TEST_CASE("an endpoint's messages show how each of them stands") {
    AttemptFixture api;
    const auto message = [&](int ago) {
        return api.rows.message(api.application, api.ago(minutes(ago)), {.payload = "{\"n\":1.0}"});
    };
    const auto sending = message(1), pending = message(2), failed = message(3), given_up = message(4),
               delivered = message(5);
    message(6);  // for another endpoint
    api.rows.live(api.application, api.endpoint, sending, 1);
    api.rows.live(api.application, api.endpoint, pending, 3, "'2026-12-24 10:00:00+00'");
    api.attempt(pending, minutes(2), 500);
    api.rows.dead_letter(api.organization(), api.application, api.endpoint, failed);
    api.attempt(given_up, minutes(4), 500);  // its dead letter was discarded
    api.attempt(delivered, minutes(5), 500);
    api.attempt(delivered, minutes(4), 200);
    const auto list = [&](const std::string& query) {
        return api.of_app("/endpoint/" + api.endpoint.str() + "/msg" + query);
    };
    const auto all = api.expect(200, Method::get, list("")).at("data").as_array();
    REQUIRE(all.size() == 5);
    CHECK(text_at(all[0], "statusText") == "sending");
    CHECK(text_at(all[0], "nextAttempt") == "null");
    CHECK(text_at(all[1], "statusText") == "pending");
    CHECK(text_at(all[1], "status") == "1");
    CHECK(text_at(all[1], "nextAttempt") == "2026-12-24T10:00:00.000000Z");
    CHECK(text_at(all[2], "statusText") == "fail");
    CHECK(text_at(all[3], "statusText") == "fail");
    CHECK(text_at(all[4], "statusText") == "success");
    CHECK_THAT(api.call(Method::get, list("?limit=1")).body, contains("\"payload\":{\"n\":1.0}}"));
    CHECK_THAT(api.call(Method::get, list("?limit=1&with_content=false")).body, contains("\"payload\":{}}"));
    CHECK(api.ids(list("?status=2")) == Ids{failed.str(), given_up.str()});
    CHECK(api.ids(list("?status=2&limit=1&iterator=-" + given_up.str())) == Ids{failed.str()});
    CHECK(api.ids(list("?limit=2&iterator=" + pending.str())) == Ids{failed.str(), given_up.str()});
    CHECK(api.ids(list("?limit=2&iterator=-" + delivered.str())) == Ids{failed.str(), given_up.str()});
    CHECK(api.ids(list("?before=" + format_timestamp(api.ago(minutes(3))))) ==
          Ids{given_up.str(), delivered.str()});
    CHECK(api.ids(list("?event_types=nothing")).empty());
}

TEST_CASE("a message's destinations show how it stands with each of them") {
    AttemptFixture api;
    const auto message = api.rows.message(api.application, api.ago(minutes(5)));
    const auto third = *EndpointId::parse(api.make_endpoint(api.app));
    api.make_endpoint(api.app);  // has nothing to do with it
    api.rows.live(api.application, api.endpoint, message, 2, "clock_timestamp() + interval '1 hour'");
    api.rows.dead_letter(api.organization(), api.application, api.other_endpoint, message);
    api.rows.attempt(api.application, third, message, api.ago(minutes(4)), {});
    const auto list = api.of_app("/msg/" + message.str() + "/endpoint");
    CHECK(api.ids(list) == Ids{third.str(), api.other_endpoint.str(), api.endpoint.str()});
    CHECK(api.status_of(list, 0) == "success");
    CHECK(api.status_of(list, 1) == "fail");
    CHECK(api.status_of(list, 2) == "pending");
    CHECK(api.ids(list + "?limit=1&iterator=" + third.str()) == Ids{api.other_endpoint.str()});
    CHECK(api.ids(list + "?limit=1&iterator=-" + api.endpoint.str()) == Ids{api.other_endpoint.str()});
    const auto item = api.expect(200, Method::get, list).at("data").at(0).as_object();
    for (const auto* field : {"channels", "createdAt", "description", "disabled", "eventTypes", "nextAttempt",
                              "status", "throttleRate", "uid", "updatedAt", "url"})
        CHECK(item.contains(field));
}

TEST_CASE("an endpoint's statistics count each message once, in the state it is in") {
    AttemptFixture api;
    const auto message = [&](int ago) { return api.rows.message(api.application, api.ago(minutes(ago))); };
    const auto live = message(10), waiting = message(11), dead = message(12), replayed = message(13),
               old = message(90);
    api.rows.live(api.application, api.endpoint, live, 1);
    api.rows.live(api.application, api.endpoint, waiting, 2);
    api.attempt(waiting, minutes(9), 500);
    api.rows.dead_letter(api.organization(), api.application, api.endpoint, dead);
    api.attempt(dead, minutes(8), 500);
    api.attempt(replayed, minutes(7), 500);
    api.attempt(replayed, minutes(6), 200);
    api.attempt(old, minutes(89), 200);
    const auto stats = [&](const std::string& query) {
        return boost::json::serialize(
            api.expect(200, Method::get, api.of_app("/endpoint/" + api.endpoint.str() + "/stats" + query)));
    };
    CHECK(stats("") == R"({"success":2,"pending":1,"fail":1,"sending":1,"canceled":0})");
    CHECK(stats("?since=" + format_timestamp(api.ago(minutes(60)))) ==
          R"({"success":1,"pending":1,"fail":1,"sending":1,"canceled":0})");
    CHECK(stats("?since=" + format_timestamp(api.ago(minutes(99))) +
                "&until=" + format_timestamp(api.ago(minutes(60)))) ==
          R"({"success":1,"pending":0,"fail":0,"sending":0,"canceled":0})");
    const auto bad =
        "?since=" + format_timestamp(api.ago(minutes(1))) + "&until=" + format_timestamp(api.ago(minutes(2)));
    CHECK(api.call(Method::get, api.of_app("/endpoint/" + api.endpoint.str() + "/stats" + bad)).status ==
          422);
    CHECK(api.call(Method::get, api.of_app("/endpoint/" + api.endpoint.str() +
                                           "/stats?since=2020-01-01T00:00:00Z&until=2021-01-01T00:00:00Z"))
              .status == 422);
}

TEST_CASE("another organization's attempts are not found") {
    AttemptFixture api;
    const auto message = api.rows.message(api.application, api.ago(minutes(9)));
    const auto stranger = api.token_of(api.other_organization());
    for (const auto& target : {api.of_endpoint(), api.of_app("/attempt/msg/" + message.str()),
                               api.of_app("/msg/" + message.str() + "/endpoint"),
                               api.of_app("/endpoint/" + api.endpoint.str() + "/msg"),
                               api.of_app("/endpoint/" + api.endpoint.str() + "/stats")}) {
        INFO(target);
        CHECK(api.call(Method::get, target, {}, stranger).status == 404);
        CHECK(api.call(Method::get, target).status == 200);
    }
}
