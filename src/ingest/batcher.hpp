#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "async/event.hpp"
#include "base/clock.hpp"
#include "base/uuid.hpp"
#include "ingest/answer.hpp"
#include "ingest/hand_off.hpp"
#include "ingest/queue.hpp"
#include "store/connection.hpp"

namespace posthorn::ingest {

struct BatcherOptions {
    store::ConnectOptions database;  // of the writer's own connection; `hot` is set by the batcher
    std::chrono::milliseconds key_lifetime{std::chrono::hours(24)};  // of idempotency keys and event ids
    std::chrono::milliseconds longest_wait{5'000};  // of a submitter, from submission to answer
    SubmissionQueue::Bounds queue{20'000, 64 * 1024 * 1024};
    SubmissionQueue::Bounds batch{500, 4 * 1024 * 1024};
    std::size_t batch_deliveries = 20'000;  // about: judged by what recent batches fanned out to
};

// How many messages may ride together, so that their deliveries stay within a bound.
class FanOutEstimate {
public:
    void observe(std::size_t messages, std::size_t deliveries);
    std::size_t messages_for(std::size_t deliveries) const;  // at least 1

private:
    double deliveries_per_message_ = 1;
};

// Group commit: messages submitted from any number of loops ride to the database in batches, one after the
// other, each as soon as the previous one is committed. Outlives every submission and its own run(); the
// executor's context, the clock and the hand-off outlive it.
class MessageBatcher {
public:
    // clock: makes the messages' ids; follows the database's clock. hand_off is called on `executor`.
    MessageBatcher(boost::asio::any_io_executor executor, BatcherOptions options, const Clock& clock,
                   HandOff& hand_off);

    // Returns when the message is committed, or refused, or its time is over. The id is given here, in the
    // order of submission. Any single-threaded executor. Throws store::DatabaseError where the database
    // refuses this very message.
    boost::asio::awaitable<Answer> submit(store::NewMessage message);

    // The same for several, which need not end up in one commit: each has its own answer, by its place; the
    // database's refusal of one is Refusal::not_storable.
    boost::asio::awaitable<std::vector<Answer>> submit_all(std::vector<store::NewMessage> messages);

    // The writer, on the batcher's executor; ends by cancellation. What is then under way is answered as
    // unknown.
    boost::asio::awaitable<void> run();

private:
    struct InFlight;
    class Announcement;
    // Answered by who holds its keys; if nobody does, it tries again or has its answer.
    struct Loser {
        std::shared_ptr<Ticket> ticket;
        std::optional<Refusal> otherwise;
    };
    struct Written {
        std::vector<Loser> losers;
        std::optional<store::DatabaseError> error;  // nothing was stored
        bool in_doubt = false;                      // but perhaps by a try before
    };

    bool enqueue(const std::shared_ptr<Ticket>& ticket);
    boost::asio::awaitable<void> write(Tickets batch);
    boost::asio::awaitable<Written> write_part(const Tickets& part, bool in_doubt);
    Written settle(const Tickets& part, const store::AcceptedBatch& stored, Announcement& announcement,
                   bool in_doubt);
    boost::asio::awaitable<void> answer_losers(std::vector<Loser> losers);
    boost::asio::awaitable<bool> connect(SteadyTime until);
    Tickets take_batch();

    boost::asio::any_io_executor executor_;
    BatcherOptions options_;
    const Clock& clock_;
    HandOff& hand_off_;
    SubmissionQueue queue_;
    std::shared_ptr<Event> work_;  // set on executor_ when the queue is no longer empty
    std::unique_ptr<store::Connection> connection_;
    UuidV7Generator ids_;
    FanOutEstimate fan_out_;
    std::uint64_t last_batch_ = 0;
};

}  // namespace posthorn::ingest
