// What the service serves about itself: the OpenAPI document and the page made of it.
#include <fstream>
#include <regex>

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/places.hpp"
#include "support/service.hpp"

using namespace posthorn;
using posthorn::test::Service;

namespace {

Service& service() {
    static Service shared;
    return shared;
}

egress::ApiAnswer get(const std::string& path, const egress::ApiClient::Fields& fields = {}) {
    egress::ApiClient client({.server = service().url(), .token = {}});
    return client.call("GET", path, {}, fields);
}

std::string field(const egress::ApiAnswer& answer, std::string_view name) {
    for (const auto& [key, value] : answer.fields)
        if (key == name) return value;
    return {};
}

}  // namespace

TEST_CASE("the OpenAPI document passes the linter") {
    const auto answer = get("/api/v1/openapi.json");
    REQUIRE(answer.status == 200);
    const test::TemporaryDirectory directory;
    const auto file = directory.path() / "openapi.json";
    std::ofstream(file) << answer.body;
    const auto linted = test::run_program(
        {.program = "/usr/bin/env",
         .arguments = {"node", test::source_directory() / "tests/npm/node_modules/@redocly/cli/bin/cli.js",
                       "lint", "--extends=recommended", file},
         .environment = {{"REDOCLY_TELEMETRY", "off"}, {"REDOCLY_SUPPRESS_UPDATE_NOTICE", "true"}},
         .input = {}},
        std::chrono::seconds(120));
    INFO(linted.output << linted.errors);
    CHECK(linted.status == 0);
    CHECK(linted.errors.find("Your API description is valid") != std::string::npos);
}

TEST_CASE("the reference page names every operation and loads nothing from elsewhere") {
    const auto page = get("/docs");
    REQUIRE(page.status == 200);
    CHECK(field(page, "content-type") == "text/html; charset=utf-8");
    CHECK(field(page, "content-security-policy").starts_with("default-src 'none'"));
    const auto document = boost::json::parse(get("/api/v1/openapi.json").body);
    for (const char* part : {"paths", "webhooks"})
        for (const auto& [path, item] : document.at(part).as_object())
            for (const auto& [method, operation] : item.as_object()) {
                const auto id = boost::json::value_to<std::string>(operation.at("operationId"));
                INFO(id);
                CHECK(page.body.find("id=\"" + id + "\"") != std::string::npos);
                CHECK(page.body.find("href=\"#" + id + "\"") != std::string::npos);
            }
    // Every place that a browser would load from, or go to, is on this page or this server.
    const std::regex reference("(?:href|src|action)=\"([^\"]*)\"");
    std::size_t references = 0;
    for (std::sregex_iterator at(page.body.begin(), page.body.end(), reference), end; at != end; ++at) {
        const auto target = (*at)[1].str();
        INFO(target);
        CHECK((target.starts_with("#") || target == "/docs/style.css" || target == "/api/v1/openapi.json"));
        if (target.size() > 1 && target.starts_with("#")) {
            CHECK(page.body.find("id=\"" + target.substr(1) + "\"") != std::string::npos);
        }
        ++references;
    }
    CHECK(references > 100);
    const auto style = get("/docs/style.css");
    CHECK(style.status == 200);
    CHECK(style.body.find("url(") == std::string::npos);
    CHECK(style.body.find("@import") == std::string::npos);
}

TEST_CASE("what is known already is not sent again") {
    for (const auto* path : {"/docs", "/docs/style.css", "/api/v1/openapi.json"}) {
        const auto first = get(path);
        const auto etag = field(first, "etag");
        REQUIRE(etag.size() > 2);
        const auto again = get(path, {{"If-None-Match", etag}});
        CHECK(again.status == 304);
        CHECK(again.body.empty());
        CHECK(get(path, {{"If-None-Match", "\"other\""}}).status == 200);
    }
}
