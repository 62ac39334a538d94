#include <fmt/format.h>

#include "base/timestamp.hpp"
#include "support/api_fixture.hpp"
#include "support/catch.hpp"
#include "support/delivery_rows.hpp"

using namespace posthorn;
using namespace posthorn::test;
using domain::DeadLetterReason;
using http::Method;
using std::chrono::minutes;

namespace {
using Ids = std::vector<std::string>;

struct DeadLetterFixture : ApiFixture {
    std::string app = make_application(), other_app = make_application();
    ApplicationId application = *ApplicationId::parse(app),
                  other_application = *ApplicationId::parse(other_app);
    EndpointId endpoint = *EndpointId::parse(make_endpoint(app)),
               second = *EndpointId::parse(make_endpoint(app)),
               third = *EndpointId::parse(make_endpoint(other_app));
    DeliveryRows rows{conninfo()};

    SystemTime ago(minutes time) const { return clock.system_now() - time; }
    std::string of_app(const std::string& rest = {}) const {
        return "/api/v1/app/" + app + "/dead-letter" + rest;
    }

    // The key it is listed by.
    std::string bury(ApplicationId owner, EndpointId target, int minutes_ago,
                     DeadLetterReason reason = DeadLetterReason::exhausted,
                     const std::string& event_type = "a") const {
        const auto message = rows.message(owner, ago(minutes(minutes_ago)), {.event_type = event_type});
        rows.dead_letter(organization(), owner, target, message, reason, "clock_timestamp()", event_type);
        return message.str() + "." + target.str();
    }
    Ids ids(const std::string& target, std::optional<std::string> token = std::nullopt) {
        Ids found;
        const auto answer = expect(200, Method::get, target, {}, std::move(token));
        for (const auto& item : answer.at("data").as_array()) found.push_back(text_at(item, "id"));
        return found;
    }
    std::string left() const { return sql("SELECT count(*) FROM dead_letter"); }
};
}  // namespace

TEST_CASE("dead letters are listed by organization and application, newest message first") {
    DeadLetterFixture api;
    const auto a = api.bury(api.application, api.endpoint, 1);
    const auto b = api.bury(api.other_application, api.third, 2, DeadLetterReason::gone, "b");
    const auto c = api.bury(api.application, api.second, 3);
    CHECK(api.ids("/api/v1/dead-letter") == Ids{a, b, c});
    CHECK(api.ids(api.of_app()) == Ids{a, c});
    const auto item = api.expect(200, Method::get, "/api/v1/dead-letter").at("data").at(1);
    CHECK(text_at(item, "appId") == api.other_app);
    CHECK(text_at(item, "endpointId") == api.third.str());
    CHECK(text_at(item, "msgId") + "." + api.third.str() == b);
    CHECK(text_at(item, "eventType") == "b");
    CHECK(text_at(item, "reason") == "gone");
    CHECK(text_at(item, "attempts") == "8");
    CHECK(item.as_object().contains("endedAt"));
    CHECK(api.ids("/api/v1/dead-letter", api.token_of(api.organization(), api.application)) == Ids{a, c});
    CHECK(api.ids("/api/v1/dead-letter", api.token_of(api.other_organization())).empty());
    CHECK(api.call(Method::get, api.of_app(), {}, api.token_of(api.other_organization())).status == 404);
}

TEST_CASE("dead letters are filtered, and paged in both directions") {
    DeadLetterFixture api;
    const auto a = api.bury(api.application, api.endpoint, 1);
    const auto b = api.bury(api.application, api.second, 2, DeadLetterReason::gone, "b");
    const auto c = api.bury(api.application, api.endpoint, 3, DeadLetterReason::endpoint_disabled, "c");
    const auto d = api.bury(api.application, api.endpoint, 4);
    const std::string all = "/api/v1/dead-letter";
    CHECK(api.ids(all + "?endpoint_id=" + api.endpoint.str()) == Ids{a, c, d});
    CHECK(api.ids(all + "?event_types=b,c") == Ids{b, c});
    CHECK(api.ids(all + "?reason=endpoint-disabled") == Ids{c});
    CHECK(api.ids(all + "?after=" + format_timestamp(api.ago(minutes(2)))) == Ids{a, b});
    CHECK(api.ids(all + "?before=" + format_timestamp(api.ago(minutes(2)))) == Ids{c, d});
    CHECK(api.ids(all + "?limit=2&iterator=" + b) == Ids{c, d});
    CHECK(api.ids(all + "?limit=2&iterator=-" + d) == Ids{b, c});
    CHECK(api.ids(all + "?limit=2&order=ascending") == Ids{d, c});
    CHECK_FALSE(api.expect(200, Method::get, all + "?limit=3").at("done").as_bool());
    CHECK(api.call(Method::get, all + "?reason=bad-luck").status == 422);
    CHECK(api.call(Method::get, all + "?iterator=msg_1").status == 422);
    CHECK(api.call(Method::get, all + "?endpoint_id=some-uid").status == 422);
    CHECK(api.call(Method::get, api.of_app("?endpoint_id=some-uid")).status == 404);
    api.expect(200, Method::patch, "/api/v1/app/" + api.app + "/endpoint/" + api.second.str(),
               R"({"uid":"some-uid"})");
    CHECK(api.ids(api.of_app("?endpoint_id=some-uid")) == Ids{b});
}

TEST_CASE("dead letters are discarded by filter, many at once") {
    DeadLetterFixture api;
    api.bury(api.application, api.second, 1);
    const auto message = api.rows.message(api.application, api.ago(minutes(5)));
    api.sql(fmt::format(
        "INSERT INTO dead_letter (app_id, endpoint_id, message_id, org_id, event_type, reason, attempts, "
        "run_id) "
        "SELECT {}, {}, (left({}::text, 24) || lpad(g::text, 12, '0'))::uuid, {}, 'many', 1, 8, g "
        "FROM generate_series(1, 2500) g",
        quoted_id(api.application), quoted_id(api.endpoint), quoted_id(message),
        quoted_id(api.organization())));
    const auto stranger = api.token_of(api.other_organization());
    CHECK(text_at(api.expect(200, Method::del, "/api/v1/dead-letter", {}, stranger), "discarded") == "0");
    CHECK(api.call(Method::del, api.of_app(), {}, stranger).status == 404);
    CHECK(api.left() == "2501");
    const auto answer = api.expect(200, Method::del, api.of_app("?endpoint_id=" + api.endpoint.str()));
    CHECK(text_at(answer, "discarded") == "2500");
    CHECK(api.left() == "1");
    CHECK(api.sql("SELECT count(*) FROM audit_log WHERE action = 'dead-letter.discard' AND subject = '" +
                  api.app + "'") == "1");
}

TEST_CASE("a replay of dead letters is a stored job") {
    DeadLetterFixture api;
    const auto job = api.expect(202, Method::post, api.of_app("/replay"),
                                quoted("{'endpointId':'" + api.endpoint.str() +
                                       "','eventTypes':['a','b'],'reason':'gone','rateLimit':25,"
                                       "'after':'2026-01-01T00:00:00Z','before':'2027-01-01T00:00:00Z'}"));
    CHECK(text_at(job, "kind") == "dead-letter.replay");
    CHECK(text_at(job, "status") == "running");
    CHECK(text_at(job, "replayed") == "0");
    CHECK(text_at(job, "rateLimit") == "25");
    CHECK(text_at(job, "appId") == api.app);
    CHECK(text_at(job, "endpointId") == api.endpoint.str());
    CHECK(text_at(job, "eventTypes") == R"(["a","b"])");
    CHECK(text_at(job, "reason") == "gone");
    CHECK(text_at(job, "after") == "2026-01-01T00:00:00.000000Z");
    const auto id = text_at(job, "id");
    CHECK(api.expect(200, Method::get, "/api/v1/replay/" + id) == job);
    CHECK(api.sql("SELECT count(*) FROM audit_log WHERE action = 'replay.start' AND subject = '" + id +
                  "'") == "1");
    const auto plain = api.expect(202, Method::post, "/api/v1/dead-letter/replay", "{}");
    CHECK(text_at(plain, "appId") == "null");
    CHECK(text_at(plain, "rateLimit") == "null");
    CHECK(api.call(Method::post, "/api/v1/dead-letter/replay", R"({"rateLimit":0,"reason":"x","after":1})")
              .status == 422);
    CHECK(api.call(Method::post, "/api/v1/dead-letter/replay", R"({"endpointId":"uid"})").status == 422);
    CHECK(api.call(Method::post, "/api/v1/dead-letter/replay", "[]").status == 422);
    CHECK(
        api.call(Method::post, api.of_app("/replay"), "{}", api.token_of(api.other_organization())).status ==
        404);
}

TEST_CASE("one dead letter is read, replayed at once, and discarded") {
    DeadLetterFixture api;
    const auto replayed = api.bury(api.application, api.endpoint, 1),
               discarded = api.bury(api.application, api.second, 2),
               strange = api.bury(api.other_application, api.third, 3);
    const std::string all = "/api/v1/dead-letter/";
    const auto listed = api.expect(200, Method::get, "/api/v1/dead-letter").at("data");
    CHECK(api.expect(200, Method::get, all + replayed) == listed.at(0));
    CHECK(api.expect(200, Method::get, api.of_app("/" + discarded)) == listed.at(1));

    api.expect(202, Method::post, all + replayed + "/replay");
    CHECK(api.sql("SELECT manual FROM delivery WHERE endpoint_id = " + quoted_id(api.endpoint)) == "t");
    api.expect(404, Method::get, all + replayed);
    api.expect(404, Method::post, all + replayed + "/replay");
    api.expect(204, Method::del, api.of_app("/" + discarded));
    api.expect(404, Method::del, all + discarded);
    CHECK(api.left() == "1");
    CHECK(api.sql("SELECT string_agg(action || ' ' || subject, ',' ORDER BY id) FROM audit_log "
                  "WHERE action LIKE 'dead-letter.%'") ==
          "dead-letter.replay " + replayed + ",dead-letter.discard " + discarded);

    for (const auto& token :
         {api.token_of(api.other_organization()), api.token_of(api.organization(), api.application)}) {
        api.expect(404, Method::get, all + strange, {}, token);
        api.expect(404, Method::post, all + strange + "/replay", {}, token);
        api.expect(404, Method::del, all + strange, {}, token);
    }
    api.expect(404, Method::get, api.of_app("/" + strange));
    api.expect(404, Method::get, all + "msg_1.ep_2");
    api.expect(404, Method::get, all + api.endpoint.str());
    CHECK(api.left() == "1");
}

TEST_CASE("a dead letter of a disabled endpoint stays one") {
    DeadLetterFixture api;
    const auto letter = api.bury(api.application, api.endpoint, 1);
    api.expect(200, Method::patch, "/api/v1/app/" + api.app + "/endpoint/" + api.endpoint.str(),
               R"({"disabled":true})");
    CHECK_THAT(api.call(Method::post, "/api/v1/dead-letter/" + letter + "/replay").body,
               contains("endpoint is disabled"));
    CHECK(api.left() == "1");
    CHECK(api.sql("SELECT count(*) FROM audit_log WHERE action = 'dead-letter.replay'") == "0");
}
