#include "ingest/queue.hpp"

#include <boost/asio/io_context.hpp>

#include "ingest/answer.hpp"
#include "ingest/batcher.hpp"
#include "support/catch.hpp"

using namespace posthorn;
using namespace posthorn::ingest;
using Pushed = SubmissionQueue::Pushed;

namespace {

constexpr SubmissionQueue::Bounds wide{1'000, 1'000'000};

// A submitter who waits for as long as this lives.
struct Submitter {
    boost::asio::io_context io{1};
    Event answered{io.get_executor()};

    std::shared_ptr<Ticket> submit(std::optional<std::string> key = std::nullopt,
                                   std::optional<std::string> event_id = std::nullopt,
                                   std::size_t payload_bytes = 2) {
        store::NewMessage message;
        message.application = "an-application";
        message.idempotency_key = std::move(key);
        message.event_id = std::move(event_id);
        message.payload = std::make_shared<const std::string>(payload_bytes, ' ');
        auto ticket = std::make_shared<Ticket>(std::move(message), SteadyTime::max());
        ticket->attach(io.get_executor(), answered);
        return ticket;
    }
};

store::KeyHolder holder(std::uint8_t id, std::string hash) {
    Uuid uuid;
    uuid.bytes[0] = id;
    return {MessageId{uuid}, std::move(hash)};
}

}  // namespace

TEST_CASE("tickets are taken in the order of submission, up to the batch's bounds") {
    Submitter by;
    SubmissionQueue queue(wide);
    Tickets pushed;
    for (int i = 0; i < 5; ++i) {
        pushed.push_back(by.submit());
        queue.push(pushed.back());
    }
    CHECK(queue.take({2, 1'000'000}) == Tickets{pushed[0], pushed[1]});
    CHECK(queue.take({10, 2 * pushed[0]->bytes()}) == Tickets{pushed[2], pushed[3]});
    CHECK(queue.take({10, 1}) == Tickets{pushed[4]});  // at least one
    CHECK(queue.take(wide).empty());
}

TEST_CASE("the queue is bounded by messages and by bytes") {
    Submitter by;
    SubmissionQueue few({2, 1'000'000});
    few.push(by.submit());
    few.push(by.submit());
    CHECK(few.push(by.submit()) == Pushed::full);
    few.take({1, 1'000'000});
    CHECK(few.push(by.submit()) != Pushed::full);

    SubmissionQueue small({100, 10'000});
    CHECK(small.push(by.submit({}, {}, 5'000)) != Pushed::full);
    CHECK(small.push(by.submit({}, {}, 5'000)) == Pushed::full);
    small.take(wide);
    CHECK(small.push(by.submit({}, {}, 5'000)) != Pushed::full);
}

TEST_CASE("a push wakes the writer once after he found nothing") {
    Submitter by;
    SubmissionQueue queue(wide);
    CHECK(queue.push(by.submit()) == Pushed::waits);
    queue.take(wide);
    CHECK(queue.take(wide).empty());
    CHECK(queue.push(by.submit()) == Pushed::wakes_the_writer);
    CHECK(queue.push(by.submit()) == Pushed::waits);
}

TEST_CASE("messages that share a key do not ride in one batch") {
    Submitter by;
    SubmissionQueue queue(wide);
    const auto first = by.submit("k", "e1"), same_key = by.submit("k", "e2"), other = by.submit("k2"),
               same_event = by.submit({}, "e1"), crossed = by.submit("e1", "k");  // a header is no event id
    for (const auto& ticket : {first, same_key, other, same_event, crossed}) queue.push(ticket);
    CHECK(queue.take(wide) == Tickets{first, other, crossed});
    CHECK(queue.take(wide) == Tickets{same_key, same_event});
}

TEST_CASE("who stops waiting while queued is never stored, and in flight the answer is unknown") {
    Submitter by;
    SubmissionQueue queue(wide);
    const auto gone = by.submit(), late = by.submit(), stays = by.submit();
    for (const auto& ticket : {gone, late, stays}) queue.push(ticket);
    gone->leave();
    CHECK(std::get<Refusal>(late->take_answer()) == Refusal::not_stored);
    queue.drop_withdrawn();
    CHECK(queue.size() == 1);
    CHECK(queue.take(wide) == Tickets{stays});
    CHECK(std::get<Refusal>(stays->take_answer()) == Refusal::unknown);
}

TEST_CASE("the first answer counts and wakes the submitter on his own loop") {
    Submitter by;
    SubmissionQueue queue(wide);
    const auto ticket = by.submit();
    queue.push(ticket);
    queue.take(wide);
    ticket->answer(Refusal::event_id_taken);
    ticket->answer(Refusal::unknown);
    CHECK(std::get<Refusal>(ticket->take_answer()) == Refusal::event_id_taken);
    CHECK(by.io.run() == 1);
}

TEST_CASE("a ticket that is put back is taken next, if somebody still waits for it") {
    Submitter by;
    SubmissionQueue queue(wide);
    const auto first = by.submit(), left = by.submit(), last = by.submit();
    queue.push(first);
    queue.push(left);
    const auto taken = queue.take(wide);
    queue.push(last);
    left->leave();
    for (const auto& ticket : taken) ticket->requeue();
    queue.put_back(taken);
    CHECK(queue.take(wide) == Tickets{first, last});
}

TEST_CASE("a loser of keys is answered by who holds them") {
    store::NewMessage message;
    message.body_hash = "mine";
    const auto mine = holder(1, "mine"), foreign = holder(2, "other");
    CHECK_FALSE(judge(message, {}));
    CHECK(judge(message, {mine, {}}) == Answer{Accepted{mine.message}});
    CHECK(judge(message, {{}, mine}) == Answer{Accepted{mine.message}});
    CHECK(judge(message, {mine, mine}) == Answer{Accepted{mine.message}});
    CHECK(judge(message, {foreign, {}}) == Answer{Refusal::idempotency_key_reused});
    CHECK(judge(message, {{}, foreign}) == Answer{Refusal::event_id_taken});
    CHECK(judge(message, {foreign, foreign}) == Answer{Refusal::idempotency_key_reused});
    CHECK(judge(message, {mine, foreign}) == Answer{Refusal::keys_disagree});
    CHECK(judge(message, {foreign, mine}) == Answer{Refusal::keys_disagree});
}

TEST_CASE("fan-out that grows shrinks the batches at once, and they recover slowly") {
    FanOutEstimate estimate;
    CHECK(estimate.messages_for(20'000) == 20'000);
    estimate.observe(10, 10'000);
    CHECK(estimate.messages_for(20'000) == 20);
    estimate.observe(20, 0);
    CHECK(estimate.messages_for(20'000) == 22);
    estimate.observe(1, 1'000'000);
    CHECK(estimate.messages_for(20'000) == 1);
    for (int i = 0; i < 200; ++i) estimate.observe(1, 1);
    CHECK(estimate.messages_for(20'000) > 19'000);
}
