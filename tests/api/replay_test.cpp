#include <fmt/format.h>

#include "base/encoding.hpp"
#include "base/timestamp.hpp"
#include "support/api_fixture.hpp"
#include "support/catch.hpp"
#include "support/delivery_rows.hpp"

using namespace posthorn;
using namespace posthorn::test;
using http::Method;
using std::chrono::minutes;

namespace {
struct ReplayFixture : ApiFixture {
    std::string app = make_application();
    ApplicationId application = *ApplicationId::parse(app);
    EndpointId endpoint = *EndpointId::parse(make_endpoint(app));
    DeliveryRows rows{conninfo()};
    MessageId message = rows.message(application, clock.system_now() - minutes(5));

    std::string of_endpoint(const std::string& rest = {}) const {
        return "/api/v1/app/" + app + "/endpoint/" + endpoint.str() + rest;
    }
    std::string resend_path() const {
        return "/api/v1/app/" + app + "/msg/" + message.str() + "/endpoint/" + endpoint.str() + "/resend";
    }
    std::string delivery(const std::string& columns) const {
        return sql("SELECT " + columns + " FROM delivery WHERE message_id = " + quoted_id(message));
    }
};
}  // namespace

TEST_CASE("a resend is a new run, and wakes the owner of the endpoint's shard") {
    ReplayFixture api;
    auto listener = api.run(store::Connection::open(api.io().get_executor(), {.conninfo = api.conninfo()}));
    api.run([](store::Connection& connection) -> boost::asio::awaitable<void> {
        co_await connection.run("LISTEN posthorn_shard");
    }(*listener));
    api.rows.dead_letter(api.organization(), api.application, api.endpoint, api.message);
    const auto answer = api.expect(202, Method::post, api.resend_path());
    CHECK(boost::json::serialize(answer) == "{}");
    CHECK(api.delivery("manual || ' ' || attempt || ' ' || (due_at <= clock_timestamp())") == "true 1 true");
    CHECK(api.sql("SELECT count(*) FROM dead_letter") == "0");
    CHECK(api.sql("SELECT d.shard = e.shard FROM delivery d JOIN endpoint e ON e.id = d.endpoint_id") == "t");
    const auto note = api.run(listener->next_notification());
    const auto& bytes = api.endpoint.value.bytes;
    CHECK(note.payload == api.sql("SELECT shard FROM endpoint") + ":" +
                              hex_encode({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
    CHECK(api.sql("SELECT count(*) FROM audit_log WHERE action = 'message.resend'") == "1");
}

TEST_CASE("a resend of a delivery that waits for a retry makes that at once") {
    ReplayFixture api;
    api.rows.live(api.application, api.endpoint, api.message, 3, "clock_timestamp() + interval '2 hours'");
    const auto run = api.delivery("run_id");
    api.expect(202, Method::post, api.resend_path());
    CHECK(api.delivery("attempt || ' ' || (due_at <= clock_timestamp())") == "3 true");
    CHECK(api.delivery("run_id") == run);
    CHECK(api.delivery("count(*)") == "1");
}

TEST_CASE("a resend to an ordered endpoint leaves what waits in its place, and goes to the end otherwise") {
    ReplayFixture api;
    api.expect(200, Method::patch, api.of_endpoint(), R"({"ordered":true})");
    api.rows.live(api.application, api.endpoint, api.message, 3, "clock_timestamp() + interval '2 hours'");
    const auto before = api.delivery("due_at");
    api.expect(202, Method::post, api.resend_path());
    CHECK(api.delivery("due_at") == before);
    const auto run = api.delivery("run_id");
    api.sql("DELETE FROM delivery");
    api.expect(202, Method::post, api.resend_path());
    CHECK(api.delivery("ordered") == "t");
    CHECK(std::stoll(api.delivery("run_id")) > std::stoll(run));
}

TEST_CASE("what can not be sent again is refused in plain words") {
    ReplayFixture api;
    CHECK(api.call(Method::post, api.resend_path(), {}, api.token_of(api.other_organization())).status ==
          404);
    CHECK(api.call(Method::post,
                   "/api/v1/app/" + api.app + "/msg/unknown/endpoint/" + api.endpoint.str() + "/resend")
              .status == 404);
    CHECK(api.call(Method::post,
                   "/api/v1/app/" + api.app + "/msg/" + api.message.str() + "/endpoint/unknown/resend")
              .status == 404);
    api.expect(200, Method::patch, api.of_endpoint(), R"({"disabled":true})");
    const auto disabled = api.call(Method::post, api.resend_path());
    CHECK(disabled.status == 409);
    CHECK_THAT(disabled.body, contains("endpoint is disabled"));
    CHECK(api.call(Method::post, api.of_endpoint("/recover"), R"({"since":"2026-01-01T00:00:00Z"})").status ==
          409);
    api.expect(200, Method::patch, api.of_endpoint(), R"({"disabled":false})");
    api.expect(204, Method::del, "/api/v1/app/" + api.app + "/msg/" + api.message.str() + "/content");
    const auto expunged = api.call(Method::post, api.resend_path());
    CHECK(expunged.status == 409);
    CHECK_THAT(expunged.body, contains("payload was deleted"));
    CHECK(api.sql("SELECT count(*) FROM delivery") == "0");
}

TEST_CASE("recovering an endpoint is a stored job for it, since a time") {
    ReplayFixture api;
    const auto started = api.expect(202, Method::post, api.of_endpoint("/recover"),
                                    R"({"since":"2026-01-01T00:00:00Z","until":"2026-02-01T00:00:00Z"})");
    CHECK(text_at(started, "status") == "running");
    CHECK(text_at(started, "task") == "endpoint.recover");
    CHECK(started.as_object().contains("updatedAt"));
    const auto job = api.expect(200, Method::get, "/api/v1/replay/" + text_at(started, "id"));
    CHECK(text_at(job, "kind") == "endpoint.recover");
    CHECK(text_at(job, "endpointId") == api.endpoint.str());
    CHECK(text_at(job, "after") == "2026-01-01T00:00:00.000000Z");
    CHECK(text_at(job, "before") == "2026-02-01T00:00:00.000000Z");
    const auto recover = [&](const std::string& body) {
        return api.call(Method::post, api.of_endpoint("/recover"), body).status;
    };
    CHECK(recover("{}") == 422);
    CHECK(recover(R"({"since":"soon"})") == 422);
    CHECK(recover(R"({"since":"2026-02-01T00:00:00Z","until":"2026-01-01T00:00:00Z"})") == 422);
    CHECK(recover(R"({"since":"2026-02-01T00:00:00Z","until":null})") == 202);
    CHECK(api.call(Method::post, api.of_endpoint("/recover"), R"({"since":"2026-02-01T00:00:00Z"})",
                   api.token_of(api.other_organization()))
              .status == 404);
}

TEST_CASE(
    "replays are listed newest first, read and cancelled, each by its own organization and application") {
    ReplayFixture api;
    std::vector<std::string> made;
    for (int i = 0; i < 3; ++i)
        made.push_back(text_at(api.expect(202, Method::post,
                                          i == 0 ? "/api/v1/dead-letter/replay"
                                                 : "/api/v1/app/" + api.app + "/dead-letter/replay",
                                          "{}"),
                               "id"));
    const auto ids = [&](const std::string& query, std::optional<std::string> token = std::nullopt) {
        std::vector<std::string> found;
        const auto answer = api.expect(200, Method::get, "/api/v1/replay" + query, {}, token);
        for (const auto& item : answer.at("data").as_array()) found.push_back(text_at(item, "id"));
        return found;
    };
    using Ids = std::vector<std::string>;
    const auto of_app = api.token_of(api.organization(), api.application);
    const auto stranger = api.token_of(api.other_organization());
    CHECK(ids("") == Ids{made[2], made[1], made[0]});
    CHECK(ids("?limit=1&iterator=-" + made[0]) == Ids{made[1]});
    CHECK(ids("", of_app) == Ids{made[2], made[1]});
    CHECK(ids("", stranger).empty());
    CHECK(api.call(Method::get, "/api/v1/replay/" + made[0], {}, of_app).status == 404);
    CHECK(api.call(Method::get, "/api/v1/replay/" + made[0], {}, stranger).status == 404);
    CHECK(api.call(Method::get, "/api/v1/replay/nothing").status == 404);

    const auto cancel = [&](const std::string& id, std::optional<std::string> token = std::nullopt) {
        return api.call(Method::post, "/api/v1/replay/" + id + "/cancel", {}, token);
    };
    CHECK(cancel(made[1], stranger).status == 404);
    CHECK(cancel(made[0], of_app).status == 404);
    CHECK_THAT(cancel(made[1], of_app).body, contains("\"status\":\"cancelled\""));
    CHECK(cancel(made[1]).status == 200);
    api.sql("UPDATE replay_job SET state = 'finished' WHERE state = 'running'");
    CHECK(cancel(made[2]).status == 409);
    CHECK(api.sql("SELECT count(*) FROM audit_log WHERE action = 'replay.cancel'") == "1");
}

TEST_CASE("what an endpoint missed, or everything of a time, is replayed by a stored job") {
    ReplayFixture api;
    const auto missing = api.expect(202, Method::post, api.of_endpoint("/replay-missing"),
                                    R"({"since":"2026-01-01T00:00:00Z","rateLimit":5})");
    CHECK(text_at(missing, "status") == "running");
    CHECK(text_at(missing, "task") == "endpoint.replay");
    const auto job = api.expect(200, Method::get, "/api/v1/replay/" + text_at(missing, "id"));
    CHECK(text_at(job, "before") == format_timestamp(api.clock.system_now()));
    CHECK(text_at(job, "rateLimit") == "5");

    const auto bulk = api.expect(202, Method::post, api.of_endpoint("/bulk-replay"),
                                 quoted("{'since':'2026-01-01T00:00:00Z','until':'2026-02-01T00:00:00Z',"
                                        "'eventTypes':['a'],'channel':'eu','tag':'t1','status':2}"));
    CHECK(text_at(bulk, "task") == "endpoint.bulk_replay");
    const auto chosen = api.expect(200, Method::get, "/api/v1/replay/" + text_at(bulk, "id"));
    CHECK(text_at(chosen, "eventTypes") == R"(["a"])");
    CHECK(text_at(chosen, "channel") == "eu");
    CHECK(text_at(chosen, "tag") == "t1");
    CHECK(text_at(chosen, "messageStatus") == "2");
    CHECK(text_at(chosen, "before") == "2026-02-01T00:00:00.000000Z");
    CHECK(api.sql("SELECT details ->> 'application' FROM audit_log WHERE action = 'replay.start' "
                  "AND subject = '" +
                  text_at(bulk, "id") + "'") == api.app);

    const auto refused = [&](const std::string& body, const std::string& field) {
        const auto response = api.call(Method::post, api.of_endpoint("/bulk-replay"), quoted(body));
        CHECK(response.status == 422);
        CHECK_THAT(response.body, contains(field));
    };
    refused("{}", "since");
    refused("{'since':'2026-01-01T00:00:00Z','status':1}", "on its way");
    refused("{'since':'2026-01-01T00:00:00Z','status':3}", "status");
    refused("{'since':'2026-01-01T00:00:00Z','channel':'not a name'}", "channel");
    refused("{'since':'2026-01-01T00:00:00Z','tag':''}", "tag");
    refused("{'since':'2026-01-01T00:00:00Z','eventTypes':[]}", "eventTypes");
    refused("{'since':'2026-01-01T00:00:00Z','rateLimit':10001}", "rateLimit");
    const auto stranger = api.token_of(api.other_organization());
    for (const auto* path : {"/replay-missing", "/bulk-replay"})
        api.expect(404, Method::post, api.of_endpoint(path), R"({"since":"2026-01-01T00:00:00Z"})", stranger);
    api.expect(200, Method::patch, api.of_endpoint(), R"({"disabled":true})");
    for (const auto* path : {"/replay-missing", "/bulk-replay"})
        api.expect(409, Method::post, api.of_endpoint(path), R"({"since":"2026-01-01T00:00:00Z"})");
}

TEST_CASE("replays and what was counted are background tasks, in one list") {
    ReplayFixture api;
    const auto start = [&](const std::string& path) {
        return text_at(api.expect(202, Method::post, path, R"({"since":"2026-01-01T00:00:00Z"})"), "id");
    };
    const auto recovery = start(api.of_endpoint("/recover"));
    const auto counted = text_at(api.expect(202, Method::put, "/api/v1/stats/usage/event-types"), "id");
    const auto missing = start(api.of_endpoint("/replay-missing"));
    api.expect(200, Method::post, "/api/v1/replay/" + missing + "/cancel");
    const auto again = text_at(api.expect(202, Method::put, "/api/v1/stats/usage/event-types"), "id");

    using Ids = std::vector<std::string>;
    const auto ids = [&](const std::string& query, std::optional<std::string> token = std::nullopt) {
        Ids found;
        const auto answer = api.expect(200, Method::get, "/api/v1/background-task" + query, {}, token);
        for (const auto& item : answer.at("data").as_array()) found.push_back(text_at(item, "id"));
        return found;
    };
    CHECK(ids("") == Ids{again, missing, counted, recovery});
    CHECK(ids("?order=ascending") == Ids{recovery, counted, missing, again});
    CHECK(ids("?limit=2") == Ids{again, missing});
    CHECK(ids("?limit=2&iterator=" + missing) == Ids{counted, recovery});
    CHECK(ids("?limit=2&iterator=-" + recovery) == Ids{missing, counted});
    CHECK_FALSE(api.expect(200, Method::get, "/api/v1/background-task?limit=3").at("done").as_bool());
    CHECK(api.expect(200, Method::get, "/api/v1/background-task?limit=4").at("done").as_bool());
    CHECK(ids("?status=running") == Ids{recovery});
    CHECK(ids("?status=failed") == Ids{missing});
    CHECK(ids("?status=finished") == Ids{again, counted});
    CHECK(ids("?task=endpoint.recover") == Ids{recovery});
    CHECK(ids("?task=event-type.aggregate&limit=1") == Ids{again});
    CHECK(ids("?task=sdk.generate").empty());
    CHECK(api.call(Method::get, "/api/v1/background-task?status=lost").status == 422);

    const auto task = api.expect(200, Method::get, "/api/v1/background-task/" + missing);
    CHECK(text_at(task, "status") == "failed");
    CHECK(text_at(task, "task") == "endpoint.replay");
    CHECK(text_at(task.at("data"), "status") == "cancelled");
    CHECK(text_at(task.at("data"), "endpointId") == api.endpoint.str());

    const auto of_app = api.token_of(api.organization(), api.application);
    CHECK(ids("", of_app) == Ids{missing, recovery});
    CHECK(ids("", api.token_of(api.other_organization())).empty());
    api.expect(404, Method::get, "/api/v1/background-task/" + again, {}, of_app);
    api.expect(404, Method::get, "/api/v1/background-task/" + missing, {},
               api.token_of(api.other_organization()));
    api.expect(404, Method::get, "/api/v1/background-task/nothing");
}

TEST_CASE("of what was counted the latest thousand are kept") {
    ReplayFixture api;
    api.sql("INSERT INTO background_task (org_id, id, task, data) SELECT " + quoted_id(api.organization()) +
            ", lpad(n::text, 32, '0')::uuid, 'event-type.aggregate', '{}' FROM generate_series(1, 1000) n");
    api.sql("INSERT INTO background_task (org_id, id, task, data) VALUES (" +
            quoted_id(api.other_organization()) +
            ", lpad('1', 32, '0')::uuid, 'event-type.aggregate', '{}')");
    const auto id = text_at(api.expect(202, Method::put, "/api/v1/stats/usage/event-types"), "id");
    CHECK(api.sql("SELECT count(*) FROM background_task") == "1001");
    CHECK(api.sql("SELECT min(id::text) FROM background_task WHERE org_id = " +
                  quoted_id(api.organization())) == "00000000-0000-0000-0000-000000000002");
    api.expect(200, Method::get, "/api/v1/background-task/" + id);
}
