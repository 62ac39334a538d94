#include <fmt/format.h>

#include "support/api_fixture.hpp"
#include "support/catch.hpp"

using namespace posthorn;
using namespace posthorn::test;
using http::Method;

namespace {

struct BulkFixture : ApiFixture {
    std::string app = make_application("acme");
    std::string all = "/api/v1/app/acme/endpoint";
    std::string first = make("{'url':'http://127.0.0.1/1','uid':'first','eventTypes':['a','b']}");
    std::string second = make("{'url':'http://127.0.0.1/2','eventTypes':['b','user.*'],'disabled':true}");
    std::string third = make("{'url':'http://127.0.0.1/3'}");

    std::string make(const std::string& body) {
        return text_at(expect(201, Method::post, "/api/v1/app/acme/endpoint", quoted(body)), "id");
    }
    boost::json::value change(const std::string& body) {
        return expect(200, Method::patch, all, quoted(body));
    }
    std::string one(const std::string& id, const std::string& field) {
        return text_at(expect(200, Method::get, all + "/" + id), field);
    }
    // "<id> <status>" of each, in order.
    static std::vector<std::string> statuses(const boost::json::value& answer) {
        std::vector<std::string> list;
        for (const auto& item : answer.at("data").as_array())
            list.push_back(text_at(item, "id") + " " + text_at(item, "status"));
        return list;
    }
};
using Statuses = std::vector<std::string>;

}  // namespace

TEST_CASE("many endpoints are changed at once, and each is answered for") {
    BulkFixture api;
    const auto before = api.expect(200, Method::get, api.all + "/" + api.third);
    const auto answer = api.change("{'endpointIds':['first','" + api.second +
                                   "','nobody'],'throttleRate':7," + "'channels':['x'],'disabled':true}");
    CHECK(BulkFixture::statuses(answer) ==
          Statuses{api.first + " updated", api.second + " updated", "null not-found"});
    CHECK(text_at(answer, "updated") == "2");
    CHECK(text_at(answer.at("data").at(2), "uid") == "nobody");
    for (const auto& id : {api.first, api.second}) {
        CHECK(api.one(id, "throttleRate") == "7");
        CHECK(api.one(id, "channels") == quoted("['x']"));
        CHECK(api.one(id, "disabled") == "true");
        CHECK(api.one(id, "disabledReason") == "manual");
    }
    CHECK(api.one("first", "eventTypes") == quoted("['a','b']"));
    CHECK(api.expect(200, Method::get, api.all + "/" + api.third) == before);
    CHECK(api.sql("SELECT string_agg(subject || (details ->> 'disabled'), ',' ORDER BY id) FROM audit_log "
                  "WHERE action = 'endpoint.update'") == api.first + "true," + api.second + "true");
    // Each change raised its endpoint's version once: the owner of the shard has something to acknowledge.
    CHECK(api.sql("SELECT string_agg(c.version || '', ',' ORDER BY e.id) FROM endpoint e "
                  "JOIN endpoint_change c ON c.endpoint_id = e.id AND c.version = e.version") == "3,3,2");

    const auto enabled = api.change("{'endpointIds':['" + api.second +
                                    "'],'disabled':false,'channels':null,"
                                    "'throttleRate':null,'eventTypes':null}");
    CHECK(BulkFixture::statuses(enabled) == Statuses{api.second + " updated"});
    for (const auto* field : {"disabledReason", "channels", "throttleRate", "eventTypes"})
        CHECK(api.one(api.second, field) == "null");
    const auto again = api.change("{'endpointIds':['" + api.second + "'],'disabled':false}");
    CHECK(BulkFixture::statuses(again) == Statuses{api.second + " unchanged"});
    CHECK(api.sql("SELECT count(*) FROM audit_log WHERE action = 'endpoint.update'") == "3");
}

TEST_CASE("many endpoints are chosen by what they are") {
    BulkFixture api;
    using S = BulkFixture;
    CHECK(S::statuses(api.change("{'filter':{'eventType':'user.*'},'throttleRate':1}")) ==
          Statuses{api.second + " updated"});
    CHECK(S::statuses(api.change("{'filter':{'eventType':'b','disabled':false},'throttleRate':1}")) ==
          Statuses{api.first + " updated"});
    CHECK(S::statuses(api.change("{'filter':{'disabled':true},'disabled':false}")) ==
          Statuses{api.second + " updated"});
    CHECK(S::statuses(api.change("{'filter':{'all':true},'throttleRate':1}")) ==
          Statuses{api.first + " unchanged", api.second + " unchanged", api.third + " updated"});
    CHECK(S::statuses(api.change("{'filter':{'eventType':'nobody.has.it'},'disabled':true}")).empty());
    api.sql(
        "INSERT INTO endpoint (id, app_id, org_id, url, shard) SELECT gen_random_uuid(), app_id, org_id, "
        "url, shard FROM endpoint, generate_series(1, 998) WHERE uid = 'first'");
    const auto too_many = api.call(Method::patch, api.all, quoted("{'filter':{'all':true},'disabled':true}"));
    CHECK(too_many.status == 422);
    CHECK_THAT(too_many.body, contains("at most 1000 endpoints"));
    CHECK(api.sql("SELECT count(*) FROM endpoint WHERE disabled") == "0");
    api.expect(204, Method::del, api.all + "/" + api.third);
    CHECK(api.change("{'filter':{'all':true},'disabled':true}").at("data").as_array().size() == 1'000);
    CHECK(api.sql("SELECT count(*) FROM endpoint WHERE disabled") == "1000");
}

TEST_CASE("event types are added and removed; an endpoint that can't take that stays as it is") {
    BulkFixture api;
    const auto added =
        api.change("{'filter':{'all':true},'addEventTypes':['c','b'],'removeEventTypes':['user.*']}");
    CHECK(BulkFixture::statuses(added) ==
          Statuses{api.first + " updated", api.second + " updated", api.third + " refused"});
    CHECK_THAT(text_at(added.at("data").at(2), "detail"), contains("takes all event types"));
    CHECK(api.one(api.first, "eventTypes") == quoted("['a','b','c']"));
    CHECK(api.one(api.second, "eventTypes") == quoted("['b','c']"));
    CHECK(api.one(api.third, "eventTypes") == "null");
    CHECK(BulkFixture::statuses(api.change("{'endpointIds':['" + api.third + "'],'addEventTypes':['c']}")) ==
          Statuses{api.third + " unchanged"});
    const auto emptied = api.change("{'filter':{'all':true},'removeEventTypes':['b','c'],'throttleRate':5}");
    CHECK_THAT(text_at(emptied.at("data").at(1), "detail"), contains("without any event type"));
    CHECK(api.one(api.second, "throttleRate") == "null");
    CHECK(api.one(api.first, "throttleRate") == "5");
    // The patterns of wildcards follow.
    api.change("{'endpointIds':['first'],'eventTypes':['order.*']}");
    CHECK(api.sql("SELECT event_type_patterns FROM endpoint WHERE uid = 'first'") == "{order.%}");
    std::string many;
    for (int i = 0; i < 512; ++i) many += fmt::format("{}'t{}'", i > 0 ? "," : "", i);
    CHECK_THAT(boost::json::serialize(api.change("{'endpointIds':['first'],'addEventTypes':[" + many + "]}")),
               contains("more than 512 event types"));
}

TEST_CASE("what is wrong with a change of many endpoints is told") {
    BulkFixture api;
    const auto refused = [&](const std::string& body, const std::string& rule) {
        const auto response = api.call(Method::patch, api.all, quoted(body));
        CHECK(response.status == 422);
        CHECK_THAT(response.body, contains(rule));
    };
    refused("{'disabled':true}", "endpointIds");
    refused("{'endpointIds':['first']}", "must change something");
    refused("{'endpointIds':['first'],'filter':{'all':true},'disabled':true}", "together with endpointIds");
    refused("{'filter':{},'disabled':true}", "all: true");
    refused("{'filter':{'all':false},'disabled':true}", "all: true");
    refused("{'filter':'all','disabled':true}", "filter");
    refused("{'endpointIds':[],'disabled':true}", "endpointIds");
    refused("{'endpointIds':['not a name'],'disabled':true}", "endpointIds");
    refused("{'endpointIds':['first'],'disabled':null}", "disabled");
    refused("{'endpointIds':['first'],'throttleRate':0}", "throttleRate");
    refused("{'endpointIds':['first'],'eventTypes':[]}", "eventTypes");
    refused("{'endpointIds':['first'],'addEventTypes':['*']}", "addEventTypes");
    refused("{'endpointIds':['first'],'eventTypes':['a'],'addEventTypes':['b']}", "must not come together");
    std::string many;
    for (int i = 0; i <= 1'000; ++i) many += fmt::format("{}'e{}'", i > 0 ? "," : "", i);
    refused("{'endpointIds':[" + many + "],'disabled':true}", "1000");
    const auto strange = api.make_endpoint(api.make_application("other"));
    CHECK(BulkFixture::statuses(api.change("{'endpointIds':['" + strange + "'],'disabled':true}")) ==
          Statuses{strange + " not-found"});
    CHECK(api.sql("SELECT count(*) FROM endpoint WHERE disabled") == "1");
    api.expect(404, Method::patch, api.all, quoted("{'filter':{'all':true},'disabled':true}"),
               api.token_of(api.other_organization()));
}
