#include "workers/attempt.hpp"

#include "support/catch.hpp"

using namespace posthorn;
using namespace posthorn::workers;
using Kind = domain::Verdict::Kind;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr SystemTime now{std::chrono::hours(24 * 365 * 56)};

domain::SigningKey new_key() { return domain::SigningKey::generate(domain::SigningKey::Kind::hmac_sha256); }

Start start_of(const EndpointConfig& config, domain::MessageExtras extras = {}) {
    Start start;
    start.config = std::make_shared<const EndpointConfig>(config);
    start.delivery.message = MessageId::make(now);
    start.delivery.payload = std::make_shared<const std::string>(R"({"n":10.50})");
    start.delivery.extras = domain::make_extras(std::move(extras));
    return start;
}

std::vector<std::string> values_of(const egress::Request& request, std::string_view name) {
    std::vector<std::string> values;
    for (const auto& [field, value] : request.headers)
        if (field == name) values.push_back(value);
    return values;
}

egress::Result answered(int status) {
    egress::Result result;
    result.status = status;
    return result;
}

}  // namespace

TEST_CASE("every secret that has not expired signs, the current one first") {
    EndpointConfig config;
    config.keys = {{new_key(), std::nullopt}, {new_key(), now + seconds(1)}, {new_key(), now}};
    const auto start = start_of(config);
    const auto request = make_request(start, {}, now);
    const auto timestamp = std::chrono::duration_cast<seconds>(now.time_since_epoch()).count();
    const auto id = start.delivery.message.str();
    const auto sign = [&](std::size_t key) {
        return config.keys[key].key.sign(id, timestamp, *start.delivery.payload);
    };
    CHECK(values_of(request, "webhook-signature") == std::vector{sign(0) + " " + sign(1)});
    CHECK(values_of(request, "webhook-id") == std::vector{id});
    CHECK(values_of(request, "webhook-timestamp") == std::vector{std::to_string(timestamp)});
    CHECK(request.body == start.delivery.payload);
}

TEST_CASE("headers named svix-* come along where they are wanted") {
    const auto start = start_of({});
    CHECK(values_of(make_request(start, {}, now), "svix-id").empty());
    const auto request = make_request(start, {.svix_headers = true}, now);
    CHECK(values_of(request, "svix-signature") == values_of(request, "webhook-signature"));
}

TEST_CASE("a message's own headers stand in for those of the endpoint, whatever their case") {
    EndpointConfig config;
    config.headers = {{"X-Tenant", "endpoint"}, {"X-Other", "kept"}};
    const auto request =
        make_request(start_of(config, {.headers = {{"x-tenant", "message"}, {"content-type", "text/csv"}},
                                       .raw = false,
                                       .deliver_at = std::nullopt}),
                     {}, now);
    CHECK(values_of(request, "X-Tenant").empty());
    CHECK(values_of(request, "x-tenant") == std::vector<std::string>{"message"});
    CHECK(values_of(request, "X-Other") == std::vector<std::string>{"kept"});
    CHECK(values_of(request, "Content-Type").empty());
}

TEST_CASE("an endpoint's timeout is never longer than the service's") {
    EndpointConfig config;
    const auto timeout = [&] { return make_request(start_of(config), {}, now).timeout; };
    CHECK(timeout() == seconds(15));
    config.timeout = seconds(2);
    CHECK(timeout() == seconds(2));
    config.timeout = seconds(20);  // the service's was longer once
    CHECK(timeout() == seconds(15));
}

TEST_CASE("what a subscriber says in headers is understood") {
    auto result = answered(503);
    const auto wait = [&](std::string text) {
        result.retry_after = std::move(text);
        return judge_result(result, now).not_before;
    };
    CHECK(judge_result(result, now).kind == Kind::slow_down);
    CHECK(wait("120") == seconds(120));
    CHECK(wait("Sat, 01 Jan 2000 00:00:00 GMT") == milliseconds(0));
    CHECK(wait("999999999999999999999") == hours(24));
    CHECK(wait("soon") == milliseconds(0));
    result.webhook_delivery = "disable";
    CHECK(judge_result(result, now).kind == Kind::disable_endpoint);
    result.webhook_delivery = "abort-message";
    CHECK(judge_result(result, now).kind == Kind::abort);
    result.webhook_delivery = "abort";
    CHECK(judge_result(result, now).kind == Kind::slow_down);
}

TEST_CASE("what came of a request that got no whole answer is a retry, whatever its status was") {
    auto result = answered(200);
    for (const auto failure : {egress::Failure::timeout, egress::Failure::protocol, egress::Failure::aborted,
                               egress::Failure::address_refused, egress::Failure::name_unresolved}) {
        result.failure = failure;
        result.webhook_delivery = "disable";
        const auto verdict = judge_result(result, now);
        CHECK(verdict.kind == Kind::retry);
        const auto record = make_record(start_of({}), result, verdict, now);
        CHECK_FALSE(record.succeeded);
        CHECK(record.status == 0);
        CHECK(record.response == egress::to_string(failure));
    }
}

TEST_CASE("an answer is recorded as it came") {
    auto result = answered(404);
    result.body = std::string("\0\xff", 2);
    result.duration = milliseconds(7);
    EndpointConfig config;
    config.url = "https://example.com/";
    const auto record = make_record(start_of(config), result, judge_result(result, now), now);
    CHECK_FALSE(record.succeeded);
    CHECK(record.status == 404);
    CHECK(record.response == result.body);
    CHECK(record.duration == milliseconds(7));
    CHECK(record.url == config.url);
}
