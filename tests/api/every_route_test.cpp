// Whoever asks for what is another's gets nothing of it and changes nothing of it: every route there is.
#include <fmt/format.h>
#include <regex>

#include "support/api_fixture.hpp"
#include "support/catch.hpp"
#include "support/delivery_rows.hpp"

using namespace posthorn;
using namespace posthorn::test;
using http::Method;

namespace {

// Something of every kind, of the fixture's organization.
struct Victim {
    explicit Victim(ApiFixture& api) : rows(api.conninfo()) {
        const auto id_of = [](const boost::json::value& made) { return text_at(made, "id"); };
        const auto now = api.clock.system_now();
        const auto application = api.make_application("victim-app");
        const auto endpoint = api.make_endpoint(application);
        const auto app = ApplicationId::parse(application).value();
        const auto ep = EndpointId::parse(endpoint).value();
        const auto message = rows.message(app, now, {.payload = R"({"secret":"of the victim"})"});
        api.expect(201, Method::post, "/api/v1/event-type",
                   quoted("{'name':'victim.event','description':''}"));
        const auto attempt = rows.attempt(app, ep, message, now, {});
        rows.dead_letter(api.organization(), app, ep, message);
        parameters = {{"app_id", application},
                      {"endpoint_id", endpoint},
                      {"msg_id", message.str()},
                      {"attempt_id", attempt.str()},
                      {"dead_letter_id", message.str() + "." + endpoint},
                      {"event_type_name", "victim.event"},
                      {"key_id", id_of(api.expect(201, Method::post, "/api/v1/api-key",
                                                  quoted("{'name':'victim-key','scopes':['*']}")))},
                      {"replay_id", id_of(api.expect(202, Method::post, "/api/v1/dead-letter/replay",
                                                     quoted("{'applicationId':'victim-app'}")))}};
        parameters["task_id"] = parameters.at("replay_id");
    }

    std::string path(const std::string& pattern) const {
        auto path = pattern;
        for (const auto& [name, value] : parameters)
            path = std::regex_replace(path, std::regex("\\{" + name + "\\}"), value);
        return path;
    }

    DeliveryRows rows;
    std::map<std::string, std::string> parameters;
};

// Valid for every route at once: unknown members are ignored.
const std::string body = quoted(
    "{'name':'x','description':'','url':'http://127.0.0.1:9/"
    "','eventType':'victim.event','payload':{},'headers':{},"
    "'since':'2020-01-01T00:00:00Z','scopes':['*']}");

// All that the victim has.
std::string snapshot(ApiFixture& api) {
    std::string all;
    for (const auto* table :
         {"application", "endpoint", "event_type", "api_key", "replay_job", "audit_log", "dead_letter"})
        all += api.sql(
            fmt::format("SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {} t WHERE org_id = {}",
                        table, quoted_id(api.organization())));
    for (const auto* table : {"message", "attempt", "delivery", "endpoint_secret", "endpoint_change"}) {
        const bool by_endpoint = std::string_view(table).starts_with("endpoint_");
        all +=
            api.sql(fmt::format("SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {} t "
                                "WHERE {}_id IN (SELECT o.id FROM {} o WHERE o.org_id = {})",
                                table, by_endpoint ? "endpoint" : "app",
                                by_endpoint ? "endpoint" : "application", quoted_id(api.organization())));
    }
    return all;
}

bool is_public(const std::string& pattern) {
    return pattern.starts_with("/api/v1/health") || pattern == "/live" || pattern == "/ready" ||
           pattern == "/api/v1/auth/logout";
}

}  // namespace

TEST_CASE("another organization's token reaches nothing, on any route") {
    ApiFixture api;
    const Victim victim(api);
    const auto before = snapshot(api);
    const auto stranger = api.token_of(api.other_organization());
    const auto own = ApplicationId::parse(api.make_application("own", stranger)).value();
    const auto customer = api.token_of(api.other_organization(), own);
    const auto forged =
        api.token_of(api.other_organization(), ApplicationId::parse(victim.parameters.at("app_id")).value());
    std::size_t refused = 0;
    for (const auto& route : api.router().routes()) {
        if (is_public(route.pattern)) continue;
        const auto path = victim.path(route.pattern);
        REQUIRE(path.find('{') == std::string::npos);
        for (const auto& token : {stranger, customer, forged}) {
            const auto answer = api.call(route.method, path, route.method == Method::get ? "" : body, token);
            INFO(http::to_string(route.method)
                 << " " << route.pattern << ": " << answer.status << " " << answer.body);
            CHECK(answer.status < 500);
            for (const auto& [name, value] : victim.parameters)
                if (name != "event_type_name") CHECK(answer.body.find(value) == std::string::npos);
            CHECK(answer.body.find("of the victim") == std::string::npos);
            const bool names_the_victims = path != route.pattern;
            // An event type's name is anybody's: who puts it makes his own.
            if (!names_the_victims || route.pattern.find("{event_type_name}") != std::string::npos) continue;
            CHECK((answer.status == 403 || answer.status == 404));
            ++refused;
        }
    }
    CHECK(refused > 100);
    CHECK(snapshot(api) == before);
}

TEST_CASE("another application's token reaches nothing of an application, on any route") {
    ApiFixture api;
    const Victim victim(api);
    const auto other = ApplicationId::parse(api.make_application("other-app")).value();
    const auto before = snapshot(api);
    const auto token = api.token_of(api.organization(), other);
    std::size_t refused = 0;
    for (const auto& route : api.router().routes()) {
        if (is_public(route.pattern)) continue;
        const auto path = victim.path(route.pattern);
        // Through its own application too: the other's endpoints and messages are not there.
        const auto mixed = std::regex_replace(path, std::regex(victim.parameters.at("app_id")), other.str());
        for (const auto& target : {path, mixed}) {
            const auto answer =
                api.call(route.method, target, route.method == Method::get ? "" : body, token);
            INFO(http::to_string(route.method)
                 << " " << target << ": " << answer.status << " " << answer.body);
            CHECK(answer.status < 500);
            for (const auto& [name, value] : victim.parameters)
                if (name != "event_type_name") CHECK(answer.body.find(value) == std::string::npos);
            if (route.pattern.find("{app_id}") == std::string::npos || target != path) continue;
            CHECK((answer.status == 403 || answer.status == 404));
            ++refused;
        }
    }
    CHECK(refused > 35);
    // What it did to its own application is its own: the victim's endpoint and messages are as they were.
    CHECK(api.sql("SELECT count(*) FROM endpoint WHERE id = '" +
                  to_string(EndpointId::parse(victim.parameters.at("endpoint_id")).value().value) +
                  "' AND deleted_at IS NULL AND url = 'http://127.0.0.1:9/hook'") == "1");
    CHECK(api.sql("SELECT count(*) FROM message WHERE payload IS NOT NULL") == "1");
    CHECK(api.sql("SELECT count(*) FROM dead_letter") == "1");
    CHECK(api.sql("SELECT state FROM replay_job WHERE kind = 'dead_letters'") == "running");
}
