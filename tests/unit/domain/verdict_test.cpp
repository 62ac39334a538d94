#include "domain/verdict.hpp"

#include "support/catch.hpp"

using namespace posthorn::domain;
using namespace std::chrono_literals;
using Kind = Verdict::Kind;

namespace {
AttemptFacts answer(int status) { return {.answered = true, .status = status}; }
}  // namespace

TEST_CASE("2xx alone is success, for every status there is") {
    for (int status = 100; status <= 599; ++status) {
        CAPTURE(status);
        CHECK((judge(answer(status)).kind == Kind::delivered) == (status >= 200 && status <= 299));
    }
}

TEST_CASE("a redirect, an error or a strange status is retried by schedule") {
    for (const int status :
         {0, 100, 101, 199, 300, 301, 302, 307, 308, 400, 401, 404, 408, 409, 500, 501, 505, 599, 600, 999})
        CHECK(judge(answer(status)).kind == Kind::retry);
}

TEST_CASE("429, 502, 503 and 504 slow down") {
    for (const int status : {429, 502, 503, 504}) CHECK(judge(answer(status)).kind == Kind::slow_down);
}

TEST_CASE("410 disables the endpoint") { CHECK(judge(answer(410)).kind == Kind::disable_endpoint); }

TEST_CASE("no answer is retried, whatever the facts say besides") {
    CHECK(judge({}).kind == Kind::retry);
    CHECK(judge({.answered = false, .status = 200}).kind == Kind::retry);
    CHECK(judge({.refused_by_guard = true}).kind == Kind::retry);
}

TEST_CASE("a receiver that asks to be disabled is disabled, with any status") {
    for (const int status : {200, 302, 400, 429, 500}) {
        AttemptFacts facts = answer(status);
        facts.wants_disable = true;
        CHECK(judge(facts).kind == Kind::disable_endpoint);
        facts.wants_abort = true;
        CHECK(judge(facts).kind == Kind::disable_endpoint);
    }
}

TEST_CASE("a receiver that aborts a message ends a failed delivery, not a successful one") {
    AttemptFacts facts = answer(500);
    facts.wants_abort = true;
    CHECK(judge(facts).kind == Kind::abort);
    facts.status = 429;
    CHECK(judge(facts).kind == Kind::abort);
    facts.status = 204;
    CHECK(judge(facts).kind == Kind::delivered);
}

TEST_CASE("Retry-After is handed on where there is another attempt, clamped to 24 hours") {
    for (const int status : {302, 400, 429, 500, 503}) {
        AttemptFacts facts = answer(status);
        CHECK(judge(facts).not_before == 0ms);
        facts.retry_after = 90s;
        CHECK(judge(facts).not_before == 90s);
        facts.retry_after = 25h;
        CHECK(judge(facts).not_before == 24h);
        facts.retry_after = -5s;
        CHECK(judge(facts).not_before == 0ms);
    }
    AttemptFacts delivered = answer(200);
    delivered.retry_after = 90s;
    CHECK(judge(delivered).not_before == 0ms);
}

TEST_CASE("a dead letter's reason is written and read back") {
    for (int number = 1; number <= 6; ++number) {
        const auto reason = static_cast<DeadLetterReason>(number);
        CHECK(parse_dead_letter_reason(to_string(reason)) == reason);
    }
    CHECK(to_string(DeadLetterReason::endpoint_disabled) == "endpoint-disabled");
    CHECK(to_string(DeadLetterReason::aborted_by_receiver) == "aborted-by-receiver");
    for (const char* text : {"", "unknown", "Exhausted", "endpoint_disabled"})
        CHECK_FALSE(parse_dead_letter_reason(text).has_value());
}
