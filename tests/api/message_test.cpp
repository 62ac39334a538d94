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
struct MessageFixture : ApiFixture {
    std::string app = make_application();
    ApplicationId application = *ApplicationId::parse(app);
    DeliveryRows rows{conninfo()};

    SystemTime ago(minutes time) const { return clock.system_now() - time; }
    std::string path(const std::string& rest = {}) const { return "/api/v1/app/" + app + "/msg" + rest; }

    std::vector<std::string> ids(const std::string& query) {
        std::vector<std::string> found;
        const auto answer = expect(200, Method::get, path(query));
        for (const auto& item : answer.at("data").as_array()) found.push_back(text_at(item, "id"));
        return found;
    }
};
using Ids = std::vector<std::string>;
}  // namespace

TEST_CASE("messages are listed newest first, page by page in both directions") {
    MessageFixture api;
    Ids made;
    for (int i = 0; i < 5; ++i) made.push_back(api.rows.message(api.application, api.ago(minutes(i))).str());
    CHECK(api.ids("") == made);
    const auto first = api.expect(200, Method::get, api.path("?limit=2"));
    CHECK_FALSE(first.at("done").as_bool());
    CHECK(text_at(first, "iterator") == made[1]);
    CHECK(api.ids("?limit=2&iterator=" + made[1]) == Ids{made[2], made[3]});
    const auto last = api.expect(200, Method::get, api.path("?limit=2&iterator=" + made[3]));
    CHECK(last.at("done").as_bool());
    CHECK(text_at(last, "prevIterator") == "-" + made[4]);
    CHECK(api.ids("?limit=2&iterator=-" + made[4]) == Ids{made[2], made[3]});
    CHECK(api.expect(200, Method::get, api.path("?limit=2&iterator=-" + made[2])).at("done").as_bool());
    CHECK(api.call(Method::get, api.path("?iterator=ep_00000000000000000000000000")).status == 422);
}

TEST_CASE("messages are filtered by event type, channel and time") {
    MessageFixture api;
    const auto a = api.rows.message(api.application, api.ago(minutes(3)), {.event_type = "a"}).str();
    const auto b =
        api.rows.message(api.application, api.ago(minutes(2)), {.event_type = "b", .channels = {"x", "y"}})
            .str();
    const auto c =
        api.rows.message(api.application, api.ago(minutes(1)), {.event_type = "c", .channels = {"y"}}).str();
    CHECK(api.ids("?event_types=a") == Ids{a});
    CHECK(api.ids("?event_types=a,c") == Ids{c, a});
    CHECK(api.ids("?event_types=a&event_types=b") == Ids{b, a});
    CHECK(api.ids("?channel=y") == Ids{c, b});
    CHECK(api.ids("?channel=y&event_types=b") == Ids{b});
    CHECK(api.ids("?channel=y&limit=1&iterator=-" + b) == Ids{c});
    CHECK(api.ids("?channel=z").empty());
    const auto middle = format_timestamp(api.ago(minutes(2)));
    CHECK(api.ids("?before=" + middle) == Ids{a});
    CHECK(api.ids("?after=" + middle) == Ids{c, b});
    CHECK(api.ids("?after=" + middle + "&iterator=" + c) == Ids{b});
    CHECK(api.ids("?after=" + middle + "&before=" + format_timestamp(api.ago(minutes(1)))) == Ids{b});
    CHECK(api.call(Method::get, api.path("?before=yesterday&limit=0&channel=%20")).status == 422);
}

TEST_CASE("the payload is shown byte for byte as it was sent (I12)") {
    MessageFixture api;
    const std::string payload =
        R"({ "price" : 10.50, "b": 1E3,"a":"\u00e9\/", "big": 12345678901234567890123 })";
    const auto id = api.rows.message(api.application, api.ago(minutes(1)), {.payload = payload}).str();
    CHECK_THAT(api.call(Method::get, api.path("/" + id)).body, contains("\"payload\":" + payload + "}"));
    CHECK_THAT(api.call(Method::get, api.path()).body, contains("\"payload\":" + payload + "}"));
    const auto without = api.expect(200, Method::get, api.path("/" + id + "?with_content=false"));
    CHECK(text_at(without, "payload") == "{}");
    const auto listed = api.expect(200, Method::get, api.path("?with_content=false"));
    CHECK(text_at(listed.at("data").at(0), "payload") == "{}");
}

TEST_CASE("a message is found by its id and by its eventId, the newest of the same") {
    MessageFixture api;
    api.rows.message(api.application, api.ago(minutes(2)), {.event_id = "order-1"});
    const auto newest = api.rows.message(api.application, api.ago(minutes(1)), {.event_id = "order-1"}).str();
    const auto found = api.expect(200, Method::get, api.path("/order-1"));
    CHECK(text_at(found, "id") == newest);
    CHECK(text_at(found, "eventId") == "order-1");
    CHECK(text_at(found, "eventType") == "user.created");
    CHECK(text_at(found, "channels") == "null");
    CHECK(text_at(found, "timestamp") == format_timestamp(uuid_v7_time(MessageId::parse(newest)->value)));
    CHECK(api.call(Method::get, api.path("/order-2")).status == 404);
    CHECK(api.call(Method::get, api.path("/order%202")).status == 404);
    CHECK(api.call(Method::get, api.path("/" + MessageId::make(api.clock.system_now()).str())).status == 404);
}

TEST_CASE("another organization's messages are not found") {
    MessageFixture api;
    const auto id = api.rows.message(api.application, api.ago(minutes(1))).str();
    const auto stranger = api.token_of(api.other_organization());
    CHECK(api.call(Method::get, api.path(), {}, stranger).status == 404);
    CHECK(api.call(Method::get, api.path("/" + id), {}, stranger).status == 404);
    CHECK(api.call(Method::del, api.path("/" + id + "/content"), {}, stranger).status == 404);
    const auto other_app = api.make_application();
    CHECK(api.call(Method::get, "/api/v1/app/" + other_app + "/msg/" + id).status == 404);
}

TEST_CASE("an expunged message shows that its payload is gone") {
    MessageFixture api;
    const auto id =
        api.rows.message(api.application, api.ago(minutes(1)), {.payload = R"({"secret":1})"}).str();
    api.expect(204, Method::del, api.path("/" + id + "/content"));
    api.expect(204, Method::del, api.path("/" + id + "/content"));
    CHECK(text_at(api.expect(200, Method::get, api.path("/" + id)), "payload") == R"({"expired":true})");
    CHECK(text_at(api.expect(200, Method::get, api.path("/" + id + "?with_content=false")), "payload") ==
          "{}");
    CHECK(api.sql("SELECT count(*) FROM message WHERE payload IS NOT NULL") == "0");
    CHECK(api.sql("SELECT action || ' ' || subject FROM audit_log LIMIT 1 OFFSET 1") ==
          "message.expunge " + id);
}

TEST_CASE("a filter that matches next to nothing gives up after a while, and its iterator goes on") {
    MessageFixture api;
    const auto wanted = api.rows.message(api.application, api.ago(minutes(30)), {.event_type = "rare"}).str();
    api.sql(fmt::format(
        "INSERT INTO message (app_id, id, event_type, payload) "
        "SELECT {}, (lpad(to_hex({} + g), 12, '0') || '70008000000000000000')::uuid, 'common', '\\x7b7d' "
        "FROM generate_series(1, 51000) g",
        quoted_id(api.application), api.ago(minutes(20)).time_since_epoch().count() / 1000));
    const auto first = api.expect(200, Method::get, api.path("?event_types=rare"));
    CHECK(first.at("data").as_array().empty());
    CHECK_FALSE(first.at("done").as_bool());
    const auto second =
        api.expect(200, Method::get, api.path("?event_types=rare&iterator=" + text_at(first, "iterator")));
    REQUIRE(second.at("data").as_array().size() == 1);
    CHECK(text_at(second.at("data").at(0), "id") == wanted);
    CHECK(second.at("done").as_bool());
}

TEST_CASE("whether anybody would get a message can be asked before") {
    ApiFixture api;
    const auto application = api.make_application();
    const auto path = "/api/v1/app/" + application + "/msg/precheck/active";
    const auto active = [&](const std::string& body) {
        return api.expect(200, Method::post, path, quoted(body)).at("active").as_bool();
    };
    CHECK_FALSE(active("{'eventType':'a.b'}"));
    const auto made =
        api.expect(201, Method::post, "/api/v1/app/" + application + "/endpoint",
                   quoted("{'url':'http://127.0.0.1:9/','eventTypes':['a.*'],'channels':['eu']}"));
    CHECK_FALSE(active("{'eventType':'a.b'}"));
    CHECK(active("{'eventType':'a.b','channels':['us','eu']}"));
    CHECK_FALSE(active("{'eventType':'b','channels':['eu']}"));
    api.expect(
        200, Method::patch,
        "/api/v1/app/" + application + "/endpoint/" + boost::json::value_to<std::string>(made.at("id")),
        quoted("{'disabled':true}"));
    CHECK_FALSE(active("{'eventType':'a.b','channels':['eu']}"));
    api.expect(422, Method::post, path, "{}");
    api.expect(422, Method::post, path, quoted("{'eventType':'a','channels':[]}"));
    api.expect(404, Method::post, "/api/v1/app/nobody/msg/precheck/active", quoted("{'eventType':'a'}"));
}
