// An event type that enforces its schema: what messages get that break it, and that no moment lets one
// through.
#include <boost/json.hpp>
#include <fmt/format.h>

#include "support/catch.hpp"
#include "support/ingest_fixture.hpp"

using namespace posthorn;
using namespace posthorn::test;
using http::Method;
namespace asio = boost::asio;
namespace json = boost::json;

namespace {

const std::string types = "/api/v1/event-type";
const std::string batch_path = "/api/v1/app/customer-1/msg/batch";
const std::string id_is_text = "{'type':'object','properties':{'id':{'type':'string'}},'required':['id']}";

std::string message(const std::string& payload, const std::string& more = "", const std::string& type = "a") {
    return quoted("{'eventType':'" + type + "','payload':" + payload + more + "}");
}

struct EnforcementFixture : IngestFixture {
    void enforce(const std::string& schema = id_is_text, const std::string& type = "a") {
        call_expecting(
            200, 201, types + "/" + type,
            "{'description':'','enforceSchema':true,'schemas':{'1':{'const':0},'2':" + schema + "}}");
    }
    void change(const std::string& fields, const std::string& type = "a") {
        expect(200, Method::patch, types + "/" + type, quoted(fields));
    }
    void call_expecting(int one, int other, const std::string& path, const std::string& body) {
        const auto response = call(Method::put, path, quoted(body));
        INFO(response.body);
        REQUIRE((response.status == one || response.status == other));
    }
    json::array batch(const std::string& messages, const std::string& query = "", int status = 202) {
        const auto response =
            expect(status, Method::post, batch_path + query, quoted("{'messages':[" + messages + "]}"));
        return response.at(status == 202 ? "data" : "detail").as_array();
    }
    std::string stored() const { return sql("SELECT count(*) FROM message"); }
};

}  // namespace

TEST_CASE(
    "a message that breaks the newest schema gets 422 with the place, one that fulfils it goes through") {
    EnforcementFixture f;
    f.enforce();
    CHECK(f.send(message("{'id':'1','more':1.50}")).status == 202);
    const auto refused = f.send(message("{'id':5}"));
    CHECK(refused.status == 422);
    CHECK(refused.body ==
          quoted("{'detail':[{'loc':['body','payload','id'],'msg':'/id: must be of type string',"
                 "'type':'value_error.schema'}]}"));
    CHECK_THAT(f.send(message("{}")).body,
               contains(R"("loc":["body","payload"],"msg":"must have the property \"id\"")"));
    CHECK(f.send(message("{}", "", "b")).status == 202);
    CHECK(f.sql("SELECT string_agg(convert_from(payload, 'UTF8'), '' ORDER BY id) FROM message") ==
          quoted("{'id':'1','more':1.50}{}"));
}

TEST_CASE("a raw payload, and one that can not be read, is refused where a schema is enforced") {
    EnforcementFixture f;
    f.enforce();
    const auto raw = f.send(quoted("{'eventType':'a','rawPayload':'x'}"));
    CHECK(raw.status == 422);
    CHECK_THAT(raw.body, contains(quoted("['body','rawPayload']")));
    CHECK(f.send(message("{'id':'\\ud800'}")).status == 422);
    CHECK(f.send(message("{'id':'1','n':1e400}")).status == 202);
    CHECK(f.send(message("{'id':1e400}")).status == 422);
    std::string deep = "1";  // 64 levels, the payload's own among them
    for (int i = 0; i < 63; ++i) deep = "[" + deep + "]";
    auto request = f.request(message("{'id':'1','n':" + deep + "}"));
    CHECK(f.run(f.router().dispatch(request)).status == 202);
}

TEST_CASE("from the answer to each change on, its schema counts") {
    EnforcementFixture f;
    const auto good = message("{'id':'1'}"), bad = message("{'id':1}");
    CHECK(f.send(bad).status == 202);
    f.enforce();
    CHECK(f.send(bad).status == 422);
    CHECK(f.send(good).status == 202);
    f.change("{'schemas':{'1':{'properties':{'id':{'type':'integer'}}}}}");
    CHECK(f.send(bad).status == 202);
    CHECK(f.send(good).status == 422);
    f.change("{'enforceSchema':false}");
    CHECK(f.send(good).status == 202);
    f.change("{'enforceSchema':true}");
    CHECK(f.send(good).status == 422);
    f.change("{'archived':true}");
    CHECK(f.send(good).status == 202);
    f.change("{'archived':false}");
    CHECK(f.send(good).status == 422);
    f.expect(204, Method::del, types + "/a?expunge=true");
    CHECK(f.send(good).status == 202);
    f.enforce();
    CHECK(f.send(good).status == 202);
    CHECK(f.send(bad).status == 422);
}

TEST_CASE("a change by another process counts as well, though it is in nobody's memory") {
    EnforcementFixture f;
    f.enforce();
    CHECK(f.send(message("{'id':'1'}")).status == 202);
    // Stricter, so that the schema in memory would let it through; then as it was, so that it would not.
    f.sql(
        R"(UPDATE event_type SET schemas = '{"1":{"required":["x"]}}', schema_revision = nextval('schema_revision'))");
    CHECK(f.send(message("{'id':'1'}")).status == 422);
    f.sql(R"(UPDATE event_type SET schemas = '{"1":{}}', schema_revision = nextval('schema_revision'))");
    CHECK(f.send(message("{'id':'1'}")).status == 202);
}

TEST_CASE("another organization's event type of the same name is another") {
    EnforcementFixture f;
    f.expect(201, Method::post, types,
             quoted("{'name':'a','description':'','enforceSchema':true,'schemas':{'1':" + id_is_text + "}}"),
             f.token_of(f.other_organization()));
    CHECK(f.send(message("{}")).status == 202);
}

TEST_CASE(
    "what was accepted before and is repeated after the schema has changed gets the first answer again") {
    EnforcementFixture f;
    const auto by_event = message("{}", ",'eventId':'e'"), by_key = message("{}");
    const auto first = f.send(by_event), second = f.send(by_key, "k");
    REQUIRE(first.status == 202);
    f.enforce();
    CHECK(f.send(by_event).body == first.body);
    CHECK(f.send(by_key, "k").body == second.body);
    CHECK(f.batch(by_event + "," + message("{}", ",'eventId':'f'"))[0].at("message").at("id") ==
          json::parse(first.body).at("id"));
    CHECK(f.send(message("{'x':1}", ",'eventId':'e'")).status == 409);
    // A refused one takes no key.
    CHECK(f.send(message("{}"), "new").status == 422);
    CHECK(f.send(message("{'id':'1'}"), "new").status == 202);
    CHECK(f.stored() == "3");
}

TEST_CASE(
    "of a batch each message has its own verdict; with mode=all none is stored if one breaks its schema") {
    EnforcementFixture f;
    f.enforce();
    const auto good = message("{'id':'1'}"), bad = message("{'id':1}"), other = message("{}", "", "b");
    const auto verdicts = f.batch(good + "," + bad + "," + other);
    REQUIRE(verdicts.size() == 3);
    CHECK(text_at(verdicts[0], "status") == "202");
    CHECK(text_at(verdicts[1], "status") == "422");
    CHECK(text_at(verdicts[1].at("error").at("detail").at(0), "loc") ==
          quoted("['body','messages','1','payload','id']"));
    CHECK(text_at(verdicts[2], "status") == "202");
    CHECK(f.stored() == "2");

    IngestFixture& any = f;
    any.schemas.~EnforcedSchemas();  // a process that has just begun knows no schema
    new (&any.schemas) ingest::EnforcedSchemas;
    CHECK(f.batch(good + "," + bad + "," + other + "," + bad, "?mode=all", 422).size() == 2);
    CHECK(f.stored() == "2");
    CHECK(f.batch(good + "," + other, "?mode=all").size() == 2);
    CHECK(f.stored() == "4");
}

TEST_CASE("a message that creates its application is held to the schema as well") {
    EnforcementFixture f;
    f.enforce();
    const auto create = ",'application':{'name':'new','uid':'new'}";
    CHECK(f.send(f.request(message("{}", create), {}, "", "new")).status == 422);
    CHECK(f.send(f.request(message("{}", create), "k", "", "new")).status == 422);
    CHECK(f.sql("SELECT count(*) FROM application WHERE uid = 'new'") == "0");
    CHECK(f.send(f.request(message("{'id':'1'}", create), {}, "", "new")).status == 202);
}
