#include <fmt/format.h>

#include "base/timestamp.hpp"
#include "support/api_fixture.hpp"
#include "support/catch.hpp"
#include "support/delivery_rows.hpp"

using namespace posthorn;
using namespace posthorn::test;
using http::Method;
using std::chrono::days, std::chrono::hours, std::chrono::minutes;

namespace {

struct StatisticsFixture : ApiFixture {
    std::string app = make_application("acme");
    ApplicationId application = *ApplicationId::parse(app);
    EndpointId endpoint = *EndpointId::parse(make_endpoint(app)),
               other = *EndpointId::parse(make_endpoint(app));
    DeliveryRows rows{conninfo()};
    SystemTime noon = std::chrono::floor<days>(clock.system_now()) - hours(12);
    MessageId message = rows.message(application, noon - hours(1));

    void attempt(EndpointId target, SystemTime at, int status, int duration_ms) const {
        const auto id = rows.attempt(application, target, message, at, {.status_code = status});
        sql(fmt::format("UPDATE attempt SET duration_ms = {} WHERE id = {}", duration_ms, quoted_id(id)));
    }
    std::string of_endpoint(const std::string& query) const {
        return "/api/v1/app/acme/endpoint/" + endpoint.str() + "/stats/over-time" + query;
    }
    std::string of_application(const std::string& query) const {
        return "/api/v1/app/acme/stats/over-time" + query;
    }
    static std::string range(SystemTime since, SystemTime until) {
        return "since=" + format_timestamp(since) + "&until=" + format_timestamp(until);
    }
};

}  // namespace

TEST_CASE("an endpoint's attempts are counted over time") {
    StatisticsFixture api;
    for (int i = 1; i <= 20; ++i) api.attempt(api.endpoint, api.noon + minutes(i), 200, i * 10);
    api.attempt(api.endpoint, api.noon + hours(2), 0, 15'000);
    api.attempt(api.endpoint, api.noon + hours(2), 301, 1);
    api.attempt(api.endpoint, api.noon + hours(2), 404, 2);
    api.attempt(api.endpoint, api.noon + hours(2) + minutes(59), 503, 3);
    api.attempt(api.endpoint, api.noon + hours(3), 200, 4);
    api.attempt(api.other, api.noon + hours(1), 200, 5);
    const auto answer =
        api.expect(200, Method::get,
                   api.of_endpoint("?period=hour&" +
                                   StatisticsFixture::range(api.noon + minutes(30), api.noon + hours(3))));
    CHECK(text_at(answer, "period") == "hour");
    CHECK(text_at(answer, "since") == format_timestamp(api.noon));
    CHECK(text_at(answer, "until") == format_timestamp(api.noon + hours(3)));
    const auto& data = answer.at("data").as_array();
    REQUIRE(data.size() == 3);
    CHECK(boost::json::serialize(data[0]) ==
          quoted("{'start':'" + format_timestamp(api.noon) +
                 "','attempts':20,'success':20,'fail':0,'messages':1,"
                 "'statusCodeClasses':{'0':0,'100':0,'200':20,'300':0,'400':0,'500':0},"
                 "'durationMs':{'p50':100,'p95':190,'max':200}}"));
    CHECK(text_at(data[1], "start") == format_timestamp(api.noon + hours(1)));
    CHECK(text_at(data[1], "attempts") == "0");
    CHECK(text_at(data[1], "durationMs") == "null");
    CHECK(text_at(data[2], "fail") == "4");
    CHECK(text_at(data[2], "statusCodeClasses") == quoted("{'0':1,'100':0,'200':0,'300':1,'400':1,'500':1}"));
}

TEST_CASE("an application's attempts are those of all its endpoints, deleted ones too") {
    StatisticsFixture api;
    api.attempt(api.endpoint, api.noon, 200, 1);
    api.attempt(api.other, api.noon, 500, 3);
    api.expect(204, Method::del, "/api/v1/app/acme/endpoint/" + api.other.str());
    const auto strange_app = *ApplicationId::parse(api.make_application("strange"));
    const auto strange = *EndpointId::parse(api.make_endpoint("strange"));
    api.rows.attempt(strange_app, strange, api.message, api.noon, {});
    const auto day = api.noon - hours(12);
    const auto query = "?period=day&" + StatisticsFixture::range(day, day + days(1));
    const auto data = api.expect(200, Method::get, api.of_application(query)).at("data").as_array();
    REQUIRE(data.size() == 1);
    CHECK(text_at(data[0], "attempts") == "2");
    CHECK(text_at(data[0], "success") == "1");
    CHECK(text_at(data[0], "messages") == "1");
    const auto own = api.token_of(api.organization(), api.application);
    CHECK(api.call(Method::get, api.of_application(query), {}, own).status == 200);
    CHECK(
        api.call(Method::get, api.of_application(query), {}, api.token_of(api.other_organization())).status ==
        404);
}

TEST_CASE("the buckets are minutes, hours or days, and not too many") {
    StatisticsFixture api;
    const auto buckets = [&](const std::string& path) {
        return api.expect(200, Method::get, path).at("data").as_array().size();
    };
    using S = StatisticsFixture;
    api.clock.jump_wall_clock(api.noon - api.clock.system_now());
    CHECK(buckets(api.of_application("")) == 24);
    CHECK(buckets(api.of_application("?period=minute")) == 60);
    CHECK(buckets(api.of_endpoint("?period=day")) == 29);  // the first and the last are days in part
    CHECK(buckets(api.of_application("?period=minute&" + S::range(api.noon - minutes(1'000), api.noon))) ==
          1'000);
    const auto refused = [&](const std::string& path, const std::string& rule) {
        const auto response = api.call(Method::get, path);
        CHECK(response.status == 422);
        CHECK_THAT(response.body, contains(rule));
    };
    refused(api.of_application("?period=minute&" + S::range(api.noon - minutes(1'001), api.noon)),
            "more than 1000");
    refused(api.of_application("?period=day&" + S::range(api.noon - days(32), api.noon)), "31 days");
    refused(api.of_endpoint("?period=day&" + S::range(api.noon - days(93), api.noon)), "92 days");
    refused(api.of_endpoint("?" + S::range(api.noon, api.noon)), "after since");
    refused(api.of_endpoint("?period=week"), "minute, hour, day");
    refused(api.of_endpoint("?since=yesterday"), "since");
}

TEST_CASE("what takes too long to count is given up") {
    StatisticsFixture api;
    auto holder = api.run(store::Connection::open(api.io().get_executor(), {.conninfo = api.conninfo()}));
    api.run([](store::Connection& connection) -> boost::asio::awaitable<void> {
        co_await connection.run("BEGIN; LOCK TABLE attempt IN ACCESS EXCLUSIVE MODE");
    }(*holder));
    const auto answer = api.call(Method::get, api.of_application(""));
    CHECK(answer.status == 422);
    CHECK_THAT(answer.body, contains("ask for a shorter time"));
    holder.reset();
    CHECK(api.call(Method::get, api.of_application("")).status == 200);
}

TEST_CASE("message destinations are counted by application, as a task that has finished") {
    StatisticsFixture api;
    const auto quiet = api.make_application("quiet");
    api.attempt(api.endpoint, api.noon, 500, 1);
    api.attempt(api.other, api.noon, 200, 1);
    api.rows.attempt(api.application, api.endpoint, api.message, api.noon, {.manual = true});
    api.attempt(api.endpoint, api.noon + hours(6), 200, 1);
    const auto body = [&](const std::string& more) {
        return quoted("{'since':'" + format_timestamp(api.noon) + "','until':'" +
                      format_timestamp(api.noon + hours(1)) + "'" + more + "}");
    };
    const auto started = api.expect(202, Method::post, "/api/v1/stats/usage/app",
                                    body(",'appIds':['acme','" + quiet + "','nobody']"));
    CHECK(text_at(started, "status") == "finished");
    CHECK(text_at(started, "task") == "application.stats");
    CHECK(text_at(started, "unresolvedAppIds") == quoted("['nobody']"));
    const auto task = api.expect(200, Method::get, "/api/v1/background-task/" + text_at(started, "id"));
    CHECK(text_at(task, "status") == "finished");
    CHECK(task.at("data").at("stats") ==
          boost::json::parse(quoted("[{'appId':'" + api.app +
                                    "','appUid':'acme','messageDestinations':2},{'appId':'" + quiet +
                                    "','appUid':'quiet','messageDestinations':0}]")));
    const auto all = api.expect(202, Method::post, "/api/v1/stats/usage/app", body(""));
    CHECK(text_at(api.expect(200, Method::get, "/api/v1/background-task/" + text_at(all, "id")).at("data"),
                  "stats") == text_at(task.at("data"), "stats"));

    const auto stranger = api.token_of(api.other_organization());
    CHECK(text_at(
              api.expect(202, Method::post, "/api/v1/stats/usage/app", body(",'appIds':['acme']"), stranger),
              "unresolvedAppIds") == quoted("['acme']"));
    api.expect(404, Method::get, "/api/v1/background-task/" + text_at(started, "id"), {}, stranger);
    const auto customer = api.token_of(api.organization(), api.application);
    api.expect(404, Method::get, "/api/v1/background-task/" + text_at(started, "id"), {}, customer);
    api.expect(403, Method::post, "/api/v1/stats/usage/app", body(""), customer);
    api.expect(422, Method::post, "/api/v1/stats/usage/app", "{}");
    api.expect(422, Method::post, "/api/v1/stats/usage/app", body(",'appIds':[]"));
    api.expect(422, Method::post, "/api/v1/stats/usage/app",
               quoted("{'since':'2026-01-01T00:00:00Z','until':'2026-03-01T00:00:00Z'}"));
}

TEST_CASE("the event types that endpoints name are counted") {
    StatisticsFixture api;
    api.make_application("quiet");
    const auto make = [&](const std::string& app, const std::string& types) {
        api.expect(201, Method::post, "/api/v1/app/" + app + "/endpoint",
                   quoted("{'url':'http://127.0.0.1/','eventTypes':" + types + "}"));
    };
    make("acme", "['a','user.*']");
    make("acme", "['a']");
    make("quiet", "['a']");
    const auto started = api.expect(202, Method::put, "/api/v1/stats/usage/event-types");
    CHECK(text_at(started, "task") == "event-type.aggregate");
    const auto task = api.expect(200, Method::get, "/api/v1/background-task/" + text_at(started, "id"));
    CHECK(task.at("data").at("eventTypes") ==
          boost::json::parse(quoted("[{'eventType':null,'endpoints':2,'applications':1},"
                                    "{'eventType':'a','endpoints':3,'applications':2},"
                                    "{'eventType':'user.*','endpoints':1,'applications':1}]")));
    api.expect(403, Method::put, "/api/v1/stats/usage/event-types", {},
               api.token_of(api.organization(), api.application));
}
