#include "domain/explanation.hpp"

#include "support/catch.hpp"

using namespace posthorn;
using namespace posthorn::domain;
using std::chrono::hours;
using std::chrono::seconds;

namespace {

const SystemTime now{hours(24 * 365 * 50)};

DeliveryFacts live(int attempt, SystemTime due_at, std::int64_t before_it = 0, bool ordered = false) {
    DeliveryFacts facts;
    facts.now = now;
    facts.live = {attempt, due_at, ordered, before_it};
    return facts;
}

std::string reason_of(const DeliveryFacts& facts) { return explain(facts).reason; }

}  // namespace

TEST_CASE("a delivery that waits says for what, and until when") {
    CHECK(reason_of(live(1, now)) == "sending");
    const auto scheduled = explain(live(1, now + hours(1)));
    CHECK(scheduled.reason == "scheduled");
    CHECK(scheduled.until == now + hours(1));
    CHECK(scheduled.state == Explanation::State::waiting);

    auto facts = live(3, now + seconds(5));
    facts.last_attempt = {false, 503};
    const auto retrying = explain(facts);
    CHECK(retrying.reason == "retrying");
    CHECK(retrying.until == now + seconds(5));
    CHECK(retrying.detail.find("503") != std::string::npos);

    const auto ordered = explain(live(1, now, 7, true));
    CHECK(ordered.reason == "ordered");
    CHECK(ordered.waiting_for == 7);

    facts = live(1, now, 10);
    facts.rate_limit = 5;
    const auto limited = explain(facts);
    CHECK(limited.reason == "rate-limited");
    CHECK(limited.until == now + seconds(2));
    CHECK(limited.waiting_for == 10);

    facts.circuit_open_until = now + seconds(9);
    CHECK(explain(facts).reason == "circuit-open");
    CHECK(explain(facts).until == now + seconds(9));
    facts.circuit_open_until = now - seconds(9);
    CHECK(reason_of(facts) == "rate-limited");

    facts.disabled = true;
    CHECK(reason_of(facts) == "endpoint-disabled");
}

TEST_CASE("a delivery that has ended says how") {
    DeliveryFacts facts;
    facts.last_attempt = {true, 204};
    CHECK(explain(facts).state == Explanation::State::delivered);
    facts.last_attempt = {false, 500};
    CHECK(reason_of(facts) == "discarded");
    for (const auto reason : {DeadLetterReason::exhausted, DeadLetterReason::endpoint_disabled,
                              DeadLetterReason::gone, DeadLetterReason::expired,
                              DeadLetterReason::aborted_by_receiver, DeadLetterReason::undeliverable}) {
        facts.dead = {reason, 4};
        const auto explanation = explain(facts);
        CHECK(explanation.state == Explanation::State::failed);
        CHECK(explanation.reason == to_string(reason));
        CHECK_FALSE(explanation.detail.empty());
    }
}

TEST_CASE("what was never to be sent says why, the first reason first") {
    DeliveryFacts facts;
    CHECK(reason_of(facts) == "changed-since");
    facts.takes_payload = false;
    CHECK(reason_of(facts) == "filter");
    facts.takes_channels = false;
    CHECK(reason_of(facts) == "channel");
    facts.takes_event_type = false;
    CHECK(reason_of(facts) == "event-type");
    facts.was_disabled = true;
    CHECK(reason_of(facts) == "endpoint-disabled");
    facts.existed = false;
    CHECK(reason_of(facts) == "endpoint-newer");
    CHECK(explain(facts).state == Explanation::State::not_sent);
}
