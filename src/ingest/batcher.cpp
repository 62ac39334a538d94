#include "ingest/batcher.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <deque>
#include <spdlog/spdlog.h>
#include <unordered_map>

#include "base/crash_point.hpp"
#include "ingest/enforced_schemas.hpp"

namespace posthorn::ingest {

namespace asio = boost::asio;
using asio::awaitable;

namespace {

constexpr std::chrono::milliseconds connect_limit{2'000}, statement_limit{10'000};
constexpr std::chrono::milliseconds first_pause{20}, longest_pause{500};  // between attempts to connect

SteadyTime now() { return std::chrono::steady_clock::now(); }

store::ConnectOptions writer_options(store::ConnectOptions options) {
    options.hot = true;
    options.asynchronous_commit = false;
    options.connect_timeout = std::min(options.connect_timeout, connect_limit);
    options.statement_timeout = std::min(options.statement_timeout, statement_limit);
    return options;
}

std::vector<const store::NewMessage*> messages_of(const Tickets& tickets) {
    std::vector<const store::NewMessage*> messages;
    messages.reserve(tickets.size());
    for (const auto& ticket : tickets) messages.push_back(&ticket->message);
    return messages;
}

// From then on nobody waits for any of them.
SteadyTime last_deadline(const Tickets& tickets) {
    SteadyTime last{};
    for (const auto& ticket : tickets) last = std::max(last, ticket->deadline());
    return last;
}

bool is_worth_a_repetition(const store::DatabaseError& error) {
    return error.is(store::sqlstate::serialization_failure) || error.is(store::sqlstate::deadlock_detected);
}

// Part of the batch is refused for what it holds; else the whole of it is, for now.
bool blames_a_message(const store::DatabaseError& error) {
    return error.blames_the_data() || error.is(store::partial_win);
}

class Waiting {
public:
    Waiting(Ticket& ticket, const asio::any_io_executor& executor, Event& answered) : ticket_(ticket) {
        ticket_.attach(executor, answered);
    }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    ~Waiting() { ticket_.leave(); }

private:
    Ticket& ticket_;
};

std::vector<HandedDelivery> with_payloads(const Tickets& part,
                                          const std::vector<store::NewDelivery>& deliveries) {
    std::unordered_map<MessageId, const store::NewMessage*> messages;
    for (const auto& ticket : part) messages.emplace(ticket->message.id, &ticket->message);
    std::vector<HandedDelivery> handed;
    handed.reserve(deliveries.size());
    for (const auto& delivery : deliveries) {
        const auto& message = *messages.at(delivery.message);
        handed.push_back({delivery, message.payload, message.extras});
    }
    return handed;
}

}  // namespace

void FanOutEstimate::observe(std::size_t messages, std::size_t deliveries) {
    if (messages == 0) return;
    const double observed = static_cast<double>(deliveries) / static_cast<double>(messages);
    deliveries_per_message_ = std::max(observed, 0.9 * deliveries_per_message_ + 0.1 * observed);
}

std::size_t FanOutEstimate::messages_for(std::size_t deliveries) const {
    return std::max<std::size_t>(1, static_cast<std::size_t>(static_cast<double>(deliveries) /
                                                             std::max(1.0, deliveries_per_message_)));
}

// Whoever of a batch is left without an answer, however the writer ends, learns that it is unknown.
struct MessageBatcher::InFlight {
    Tickets tickets;

    explicit InFlight(Tickets batch) : tickets(std::move(batch)) {}
    InFlight(const InFlight&) = delete;
    InFlight& operator=(const InFlight&) = delete;
    ~InFlight() {
        for (const auto& ticket : tickets) ticket->answer(Refusal::unknown);
    }
};

// Ends exactly once; as unknown if nothing else was said.
class MessageBatcher::Announcement {
public:
    Announcement(HandOff& to, std::uint64_t batch, const Tickets& part) : to_(to), batch_(batch) {
        std::vector<MessageId> ids;
        ids.reserve(part.size());
        for (const auto& ticket : part) ids.push_back(ticket->message.id);
        to_.announce(batch_, ids);
    }
    Announcement(const Announcement&) = delete;
    Announcement& operator=(const Announcement&) = delete;
    ~Announcement() {
        if (open_) to_.failed(batch_, true);
    }

    void committed(std::vector<HandedDelivery> deliveries) {
        open_ = false;
        to_.committed(batch_, std::move(deliveries));
    }
    void failed(bool unknown) {
        open_ = false;
        to_.failed(batch_, unknown);
    }

private:
    HandOff& to_;
    const std::uint64_t batch_;
    bool open_ = true;
};

MessageBatcher::MessageBatcher(asio::any_io_executor executor, BatcherOptions options, const Clock& clock,
                               HandOff& hand_off)
    : executor_(std::move(executor)),
      options_(std::move(options)),
      clock_(clock),
      hand_off_(hand_off),
      queue_(options_.queue),
      work_(std::make_shared<Event>(executor_)) {
    options_.database = writer_options(std::move(options_.database));
}

awaitable<Answer> MessageBatcher::submit(store::NewMessage message) {
    const auto executor = co_await asio::this_coro::executor;
    Event answered(executor);
    const auto ticket = std::make_shared<Ticket>(std::move(message), now() + options_.longest_wait);
    const Waiting waiting(*ticket, executor, answered);
    if (!enqueue(ticket)) co_return Refusal::queue_full;
    co_await answered.wait(ticket->deadline());
    co_return ticket->take_answer();
}

awaitable<std::vector<Answer>> MessageBatcher::submit_all(std::vector<store::NewMessage> messages) {
    const auto executor = co_await asio::this_coro::executor;
    Event answered(executor);
    const auto deadline = now() + options_.longest_wait;
    Tickets tickets;
    std::deque<Waiting> waiting;
    std::vector<bool> queued;
    for (auto& message : messages) {
        tickets.push_back(std::make_shared<Ticket>(std::move(message), deadline));
        waiting.emplace_back(*tickets.back(), executor, answered);
        queued.push_back(enqueue(tickets.back()));
    }
    std::vector<Answer> answers;
    bool in_time = true;
    for (std::size_t i = 0; i < tickets.size(); ++i) {
        while (queued[i] && in_time && !tickets[i]->ended()) {
            in_time = co_await answered.wait(deadline);
        }
        try {
            answers.push_back(queued[i] ? tickets[i]->take_answer() : Refusal::queue_full);
        } catch (const store::DatabaseError&) {  // the writer has logged it
            answers.push_back(Refusal::not_storable);
        }
    }
    co_return answers;
}

// False: the queue is full.
bool MessageBatcher::enqueue(const std::shared_ptr<Ticket>& ticket) {
    const auto pushed = queue_.push(ticket);
    if (pushed == SubmissionQueue::Pushed::wakes_the_writer)
        asio::post(executor_, [work = work_] { work->set(); });
    return pushed != SubmissionQueue::Pushed::full;
}

awaitable<void> MessageBatcher::run() {
    while (true) {
        co_await connect(SteadyTime::max());
        auto batch = take_batch();
        if (batch.empty())
            co_await work_->wait();
        else
            co_await write(std::move(batch));
    }
}

Tickets MessageBatcher::take_batch() {
    auto bounds = options_.batch;
    bounds.messages = std::min(bounds.messages, fan_out_.messages_for(options_.batch_deliveries));
    auto batch = queue_.take(bounds);
    for (const auto& ticket : batch) ticket->message.id = MessageId{ids_.next(clock_.system_now())};
    return batch;
}

// False: `until` came first.
awaitable<bool> MessageBatcher::connect(SteadyTime until) {
    auto pause = first_pause;
    while (!connection_ || !connection_->usable()) {
        connection_.reset();
        try {
            connection_ = co_await store::Connection::open(executor_, options_.database);
            co_return true;
        } catch (const store::DatabaseError& error) {
            spdlog::warn("ingest has no database: {}", error.what());
        }
        queue_.drop_withdrawn();
        if (now() + pause >= until) co_return false;
        co_await sleep_for(pause);
        pause = std::min(2 * pause, longest_pause);
    }
    co_return true;
}

// One statement for all; where the database refuses what is in it, for its halves, until a message that is
// refused stands alone.
awaitable<void> MessageBatcher::write(Tickets batch) {
    const InFlight in_flight(batch);
    std::vector<Loser> losers;
    struct Part {
        Tickets tickets;
        bool in_doubt = false;  // a commit's fate is unknown
    };
    std::vector<Part> parts;
    parts.push_back({std::move(batch)});
    while (!parts.empty()) {
        const auto [part, in_doubt] = std::move(parts.back());
        parts.pop_back();
        if (last_deadline(part) < now()) continue;
        auto written = co_await write_part(part, in_doubt);
        losers.insert(losers.end(), written.losers.begin(), written.losers.end());
        if (!written.error) continue;
        if (!blames_a_message(*written.error)) {
            spdlog::warn("{} messages can not be stored for now: {}", part.size(), written.error->what());
            for (const auto& ticket : part) ticket->answer(Refusal::not_stored);
        } else if (part.size() > 1) {
            const auto middle = part.begin() + std::ssize(part) / 2;
            parts.push_back({Tickets(middle, part.end()), written.in_doubt});
            parts.push_back({Tickets(part.begin(), middle), written.in_doubt});
        } else if (written.error->is(store::partial_win)) {
            losers.push_back({part.front(), std::nullopt});
        } else {
            spdlog::error("message {} can not be stored: {}", part.front()->message.id.str(),
                          written.error->what());
            part.front()->fail(*written.error);
        }
    }
    if (!losers.empty()) co_await answer_losers(std::move(losers));
}

awaitable<MessageBatcher::Written> MessageBatcher::write_part(const Tickets& part, bool in_doubt) {
    const auto messages = messages_of(part);
    const auto deadline = last_deadline(part);
    Announcement announcement(hand_off_, ++last_batch_, part);
    while (true) {
        std::optional<store::DatabaseError> error;
        try {
            crash_point(CrashPoint::ingest_before_commit);
            const auto stored =
                co_await store::accept_messages(*connection_, messages, options_.key_lifetime, in_doubt);
            crash_point(CrashPoint::ingest_committed);
            co_return settle(part, stored, announcement, in_doubt);
        } catch (const store::DatabaseError& failure) {
            error = failure;
        }
        if (error->connection_lost()) {
            spdlog::warn("ingest lost its database connection: {}", error->what());
            in_doubt = true;
            co_await sleep_for(first_pause);
            if (co_await connect(deadline) && now() < deadline) continue;
            co_return Written{};  // announced and in flight: both end as unknown
        }
        if (is_worth_a_repetition(*error) && now() < deadline) continue;
        if (in_doubt && !blames_a_message(*error)) co_return Written{};
        announcement.failed(in_doubt);
        co_return Written{{}, std::move(error), in_doubt};
    }
}

MessageBatcher::Written MessageBatcher::settle(const Tickets& part, const store::AcceptedBatch& stored,
                                               Announcement& announcement, bool in_doubt) {
    const auto count_of = [&](store::Acceptance what) {
        return std::count(stored.messages.begin(), stored.messages.end(), what);
    };
    // An earlier try was committed after all: what it fanned out to isn't known here.
    if (count_of(store::Acceptance::accepted_before) > 0)
        announcement.failed(true);
    else
        announcement.committed(with_payloads(part, stored.deliveries));
    crash_point(CrashPoint::ingest_handed_over);
    fan_out_.observe(static_cast<std::size_t>(count_of(store::Acceptance::accepted)),
                     stored.deliveries.size());
    Written written;
    for (std::size_t i = 0; i < part.size(); ++i) {
        switch (stored.messages[i]) {
            case store::Acceptance::accepted:
            case store::Acceptance::accepted_before:
                part[i]->answer(Accepted{part[i]->message.id});
                break;
            case store::Acceptance::unknown_application:
                part[i]->answer(Refusal::unknown_application);
                break;
            case store::Acceptance::key_taken:
                written.losers.push_back({part[i], std::nullopt});
                break;
            case store::Acceptance::schema_changed:
                // After a try whose commit is in doubt it may be stored, under the schema before.
                const auto refusal = in_doubt ? Refusal::unknown : Refusal::schema_changed;
                if (has_key(part[i]->message))
                    written.losers.push_back({part[i], refusal});
                else
                    part[i]->answer(refusal);
        }
    }
    crash_point(CrashPoint::ingest_answered);
    return written;
}

awaitable<void> MessageBatcher::answer_losers(std::vector<Loser> losers) {
    Tickets tickets;
    for (const auto& loser : losers) tickets.push_back(loser.ticket);
    const auto messages = messages_of(tickets);
    const auto deadline = last_deadline(tickets);
    std::optional<std::vector<store::KeyHolders>> holders;
    while (!holders) {
        if (!co_await connect(deadline)) break;
        try {
            holders = co_await store::find_key_holders(*connection_, messages);
        } catch (const store::DatabaseError& error) {
            if (error.connection_lost()) continue;
            for (const auto& ticket : tickets) ticket->fail(error);
            co_return;
        }
    }
    Tickets again;
    for (std::size_t i = 0; i < losers.size(); ++i) {
        auto& [ticket, otherwise] = losers[i];
        if (!holders) {
            ticket->answer(otherwise == Refusal::unknown ? Refusal::unknown : Refusal::not_stored);
        } else if (const auto answer = judge(ticket->message, (*holders)[i])) {
            ticket->answer(*answer);
        } else if (otherwise) {
            ticket->answer(*otherwise);
        } else {
            ticket->requeue();
            again.push_back(ticket);
        }
    }
    queue_.put_back(again);
}

}  // namespace posthorn::ingest
