#include "domain/explanation.hpp"

#include <fmt/format.h>
#include <stdexcept>

namespace posthorn::domain {

namespace {

using State = Explanation::State;

std::string sentence(DeadLetterReason reason, int attempts) {
    switch (reason) {
        case DeadLetterReason::exhausted:
            return fmt::format("All {} attempts failed. It can be replayed.", attempts);
        case DeadLetterReason::endpoint_disabled:
            return "The endpoint was disabled while the delivery waited. Enable it, then replay.";
        case DeadLetterReason::gone:
            return "The subscriber answered that the endpoint is gone (410), which disabled it.";
        case DeadLetterReason::expired:
            return "It reached the greatest age that a delivery may have.";
        case DeadLetterReason::aborted_by_receiver:
            return "The subscriber asked for no more attempts of this message.";
        case DeadLetterReason::undeliverable:
            return "The payload is not there any more: it was expunged.";
    }
    throw std::logic_error("a dead letter's reason has an unknown number");
}

std::string last_result(const std::optional<DeliveryFacts::LastAttempt>& last) {
    if (!last) return "The last attempt failed";
    if (last->status == 0) return "The last attempt got no answer";
    return fmt::format("The last attempt was answered {}", last->status);
}

Explanation explain_live(const DeliveryFacts& facts, const DeliveryFacts::Live& live) {
    if (live.due_at > facts.now) {
        if (live.attempt == 1)
            return {State::waiting, "scheduled", "It is to be delivered later.", live.due_at};
        return {
            State::waiting, "retrying",
            fmt::format("{}; attempt {} follows by schedule.", last_result(facts.last_attempt), live.attempt),
            live.due_at};
    }
    if (facts.disabled)
        return {State::waiting, "endpoint-disabled",
                "The endpoint is disabled: the delivery is about to become a dead letter."};
    if (live.ordered && live.before_it > 0)
        return {State::waiting,
                "ordered",
                fmt::format("The endpoint is ordered, and {} of its deliveries come first.", live.before_it),
                {},
                live.before_it};
    if (facts.circuit_open_until && *facts.circuit_open_until > facts.now)
        return {State::waiting, "circuit-open",
                "The endpoint does nothing but fail: its deliveries wait until a single one is tried again.",
                facts.circuit_open_until};
    if (facts.rate_limit && live.before_it > 0)
        return {State::waiting, "rate-limited",
                fmt::format("The endpoint takes {} requests a second, and {} deliveries were due before it.",
                            *facts.rate_limit, live.before_it),
                facts.now + std::chrono::seconds(live.before_it / *facts.rate_limit), live.before_it};
    return {State::waiting, "sending", "It is being sent, or is about to be."};
}

Explanation explain_unsent(const DeliveryFacts& facts) {
    const auto not_sent = [](std::string reason, std::string detail) {
        return Explanation{State::not_sent, std::move(reason), std::move(detail)};
    };
    if (!facts.existed) return not_sent("endpoint-newer", "The endpoint was created after the message.");
    if (facts.was_disabled)
        return not_sent("endpoint-disabled", "The endpoint was disabled when the message came.");
    if (!facts.takes_event_type)
        return not_sent("event-type", "The endpoint is not subscribed to the message's event type.");
    if (!facts.takes_channels)
        return not_sent("channel", "The endpoint has channels, and the message is in none of them.");
    if (!facts.takes_payload) return not_sent("filter", "The endpoint's filter does not match the payload.");
    return not_sent(
        "changed-since",
        "As the endpoint is now it would get the message: it was changed since, the attempts' log is "
        "past its retention, or the dead letter was discarded before any attempt.");
}

}  // namespace

std::string_view to_string(Explanation::State state) {
    switch (state) {
        case State::delivered:
            return "delivered";
        case State::waiting:
            return "waiting";
        case State::failed:
            return "failed";
        case State::not_sent:
            return "not-sent";
    }
    throw std::logic_error("an explanation's state has an unknown number");
}

Explanation explain(const DeliveryFacts& facts) {
    if (facts.live) return explain_live(facts, *facts.live);
    if (facts.dead)
        return {State::failed, std::string(to_string(facts.dead->reason)),
                sentence(facts.dead->reason, facts.dead->attempts)};
    if (!facts.last_attempt) return explain_unsent(facts);
    if (facts.last_attempt->succeeded) return {State::delivered, "delivered", "It was delivered."};
    return {State::failed, "discarded",
            last_result(facts.last_attempt) + ", and the dead letter was discarded."};
}

}  // namespace posthorn::domain
