#include "sim/process.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>

namespace posthorn::sim {

using boost::asio::awaitable;
using std::chrono::milliseconds;

namespace {
constexpr std::size_t messages_a_batch = 10;
constexpr milliseconds writer_pause{50}, longest_wait{5'000};
}  // namespace

Process::Process(int number, Server& server, Receivers& receivers, const domain::SecretBox& box,
                 Options options)
    : number_(number),
      history_(receivers.history()),
      worker_(options.worker),
      clock_(server.world()),
      machine_(server.world().clock()),
      database_(server, link_),
      database_clock_(clock_),
      submitted_(machine_.executor()) {
    database_clock_.follow(server.world().database_now(), server.world().now());  // as at the service's start
    std::vector<workers::WorkerLoop*> loops;
    if (worker_) {
        for (int i = 0; i < options.loops; ++i) {
            auto& loop = *loops_.emplace_back(std::make_unique<workers::WorkerLoop>(
                machine_.executor(), options.worker_options, database_,
                std::make_unique<ScriptedTransport>(machine_.executor(), receivers, number), box,
                database_clock_, lease_));
            loops.push_back(&loop);
            loop_tasks_.push_back(&start("worker", [&loop] { return loop.run(); }));
        }
        workers::OwnerOptions owner_options;
        owner_options.host = "simulated";
        owner_options.drain_limit = options.drain_limit;
        owner_ = std::make_unique<workers::ShardOwner>(machine_.executor(), owner_options, database_, loops,
                                                       map_, lease_, database_clock_, box);
        owner_task_ = &start("owner", [this] { return owner_->run(); });
    }
    hand_over_ = std::make_unique<cli::HandOver>(machine_.executor(), database_, loops, map_);
    hand_over_task_ = &start("hand-over", [this] { return hand_over_->run(); });
    writer_task_ = &start("ingest", [this] { return write(); });
}

Process::~Process() { machine_.end(); }

Process::Running& Process::start(const std::string& name, Body body) {
    Running& running = running_.emplace_back();
    boost::asio::co_spawn(
        machine_.executor(), std::move(body),
        boost::asio::bind_cancellation_slot(
            running.signal.slot(), [this, &running, name](std::exception_ptr failure) {
                running.ended = true;
                if (failure && !stopping_)
                    history_.violated(fmt::format("{} of process {} failed", name, number_));
            }));
    return running;
}

// ---- the clean end, in the order of cli/service.cpp

void Process::stop() {
    stopping_ = true;
    boost::asio::co_spawn(machine_.executor(), leave(), [this](std::exception_ptr failure) {
        if (failure) history_.violated(fmt::format("process {} could not stop", number_));
        finished_ = true;
    });
}

awaitable<void> Process::end(Running& running) {
    running.signal.emit(boost::asio::cancellation_type::terminal);
    while (!running.ended) co_await sleep_for(milliseconds(1));
}

awaitable<void> Process::leave() {
    co_await end(*writer_task_);
    co_await end(*hand_over_task_);
    clean_ = true;
    if (worker_) {
        co_await end(*owner_task_);
        clean_ = co_await owner_->leave();
    }
    for (auto* task : loop_tasks_) co_await end(*task);
}

// ---- ingest, as ingest/batcher.cpp does it

void Process::submit(Submission submission) {
    submissions_.push_back(std::move(submission));
    submitted_.set();
}

awaitable<void> Process::write() {
    while (true) {
        if (submissions_.empty()) {
            co_await submitted_.wait();
            continue;
        }
        std::vector<Submission> batch;
        while (!submissions_.empty() && batch.size() < messages_a_batch) {
            batch.push_back(std::move(submissions_.front()));
            submissions_.pop_front();
        }
        co_await write_batch(std::move(batch));
    }
}

awaitable<Session*> Process::writer() {
    if (!writer_ || !writer_->usable())
        writer_ = co_await database_.open_session(machine_.executor(), store::SessionUse::fetch);
    co_return writer_.get();
}

awaitable<void> Process::write_batch(std::vector<Submission> batch) {
    std::vector<store::NewMessage> messages;
    std::vector<MessageId> ids;
    for (const auto& one : batch) {
        store::NewMessage message;
        message.id = MessageId::make(database_clock_.system_now());
        message.application = one.application;
        message.idempotency_key = one.key;
        message.body_hash = one.body;
        message.payload = std::make_shared<const std::string>(one.body);
        message.extras = domain::make_extras({.headers = {}, .raw = false, .deliver_at = one.deliver_at});
        ids.push_back(message.id);
        messages.push_back(std::move(message));
    }
    const auto number = ++last_batch_;
    const auto deadline = database_clock_.steady_now() + longest_wait;
    hand_over_->announce(number, ids);
    std::optional<store::AcceptedBatch> stored;
    while (!stored && database_clock_.steady_now() < deadline) {
        bool lost = false;
        try {
            stored = co_await (co_await writer())->accept(messages);
        } catch (const store::DatabaseError& error) {
            lost = error.connection_lost();
        }
        if (lost) co_await sleep_for(writer_pause);
    }
    if (!stored) {
        hand_over_->failed(number, true);
        for (const auto& one : batch) one.answer(std::nullopt);
        co_return;
    }
    const auto is_before = [](store::Acceptance one) { return one == store::Acceptance::accepted_before; };
    if (std::any_of(stored->messages.begin(), stored->messages.end(), is_before)) {
        hand_over_->failed(number, true);
    } else {
        std::vector<ingest::HandedDelivery> handed;
        for (const auto& delivery : stored->deliveries) {
            const auto at = std::find(ids.begin(), ids.end(), delivery.message);
            const auto& message = messages[static_cast<std::size_t>(at - ids.begin())];
            handed.push_back({delivery, message.payload, message.extras});
        }
        hand_over_->committed(number, std::move(handed));
    }
    for (std::size_t i = 0; i < batch.size(); ++i) {
        if (stored->messages[i] == store::Acceptance::key_taken)
            co_await answer_loser(batch[i]);
        else
            batch[i].answer(ids[i]);
    }
}

awaitable<void> Process::answer_loser(const Submission& submission) {
    std::optional<store::KeyHolder> holder;
    try {
        holder = co_await (co_await writer())->key_holder(submission.application, submission.key);
    } catch (const store::DatabaseError&) {
    }
    submission.answer(holder ? std::optional(holder->message) : std::nullopt);
}

}  // namespace posthorn::sim
