#include <fmt/format.h>

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/places.hpp"
#include "support/receiver.hpp"
#include "support/service.hpp"

using namespace posthorn;
using posthorn::test::Received;
using posthorn::test::Receiver;
using posthorn::test::Service;

namespace {

std::string as_line(const Received& request, const std::string& secret) {
    const boost::json::object headers{{"webhook-id", request.id},
                                      {"webhook-timestamp", request.timestamp},
                                      {"webhook-signature", request.signature}};
    return boost::json::serialize(
               boost::json::object{{"secret", secret}, {"body", request.body}, {"headers", headers}}) +
           "\n";
}

// What the official npm packages say of each line.
std::string verify_by_npm(const std::string& lines) {
    cli::ChildProcess node({.program = "/usr/bin/env",
                            .arguments = {"node", test::source_directory() / "tests/npm/verify.mjs"},
                            .environment = {},
                            .input = lines});
    const auto status = node.wait(std::chrono::seconds(60));
    INFO(node.errors());
    REQUIRE(status == 0);
    return node.output();
}

}  // namespace

TEST_CASE("the official npm packages verify every delivery, through retries and rotation too (I11)") {
    Service service;
    Receiver receiver;
    receiver.answer_next({{.status = 500}});
    const auto application = service.make_application();
    const auto endpoint = service.make_endpoint(application, receiver.url());
    const auto old_secret = service.secret_of(application, endpoint);
    service.send(application, "order.paid",
                 R"({"price":10.50,"name":"Z\u00fcrich \"quoted\"","city":"Zürich"})");
    REQUIRE(receiver.wait_for(2));
    service.expect(204, "POST",
                   fmt::format("/api/v1/app/{}/endpoint/{}/secret/rotate", application, endpoint), "{}");
    const auto new_secret = service.secret_of(application, endpoint);
    service.send(application, "order.paid", R"({"after":"rotation"})");
    REQUIRE(receiver.wait_for(3));

    const auto got = receiver.received();
    std::string lines = as_line(got[0], old_secret) + as_line(got[1], old_secret);
    lines += as_line(got[2], old_secret) + as_line(got[2], new_secret);
    CHECK(verify_by_npm(lines) == "ok\nok\nok\nok\n");

    auto altered = got[2];
    altered.body += " ";
    CHECK(verify_by_npm(as_line(altered, new_secret)) != "ok\n");
}
