#pragma once
#include <boost/asio/cancellation_signal.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "cli/hand_over.hpp"
#include "sim/machine.hpp"
#include "sim/receivers.hpp"
#include "sim/session.hpp"
#include "workers/shard_owner.hpp"

namespace posthorn::sim {

// The wall clock of one machine: the world's time, and off by what the nemesis says.
class MachineClock final : public Clock {
public:
    explicit MachineClock(const World& world) : world_(world) {}
    SteadyTime steady_now() const override { return world_.now(); }
    SystemTime system_now() const override { return world_.database_now() + off_; }
    void jump(std::chrono::microseconds by) { off_ += by; }

private:
    const World& world_;
    std::chrono::microseconds off_{0};
};

struct Submission {
    std::string key, body;
    ApplicationId application;
    std::optional<SystemTime> deliver_at;
    // The message's id, or nothing: not stored, or not known.
    std::function<void(std::optional<MessageId>)> answer;
};

// One process of the service: the real shard owner, worker loops and hand-over, and a plain writer of
// submitted messages.
class Process {
public:
    struct Options {
        int loops = 1;
        bool worker = true;
        workers::WorkerOptions worker_options;
        std::chrono::milliseconds drain_limit{8'000};
    };
    Process(int number, Server& server, Receivers& receivers, const domain::SecretBox& box, Options options);
    ~Process();

    int number() const { return number_; }
    Machine& machine() { return machine_; }
    Link& link() { return link_; }
    MachineClock& clock() { return clock_; }
    SteadyTime stalled_until{};

    void submit(Submission submission);
    // As at SIGTERM; finished() when it is over.
    void stop();
    bool finished() const { return finished_; }
    bool clean() const { return clean_; }
    bool stopping() const { return stopping_; }
    bool is_worker() const { return worker_; }

private:
    struct Running {
        boost::asio::cancellation_signal signal;
        bool ended = false;
    };
    using Body = std::function<boost::asio::awaitable<void>()>;
    Running& start(const std::string& name, Body body);
    boost::asio::awaitable<void> end(Running& running);
    boost::asio::awaitable<void> leave();
    boost::asio::awaitable<void> write();
    boost::asio::awaitable<void> write_batch(std::vector<Submission> batch);
    boost::asio::awaitable<Session*> writer();  // usable
    boost::asio::awaitable<void> answer_loser(const Submission& submission);

    int number_;
    History& history_;
    bool worker_;
    MachineClock clock_;
    Machine machine_;
    Link link_;
    SimulatedDatabase database_;
    store::DatabaseClock database_clock_;
    workers::Lease lease_;
    workers::ShardMap map_;
    std::vector<std::unique_ptr<workers::WorkerLoop>> loops_;
    std::unique_ptr<workers::ShardOwner> owner_;
    std::unique_ptr<cli::HandOver> hand_over_;
    std::unique_ptr<Session> writer_;
    std::deque<Submission> submissions_;
    Event submitted_;
    std::uint64_t last_batch_ = 0;
    std::deque<Running> running_;
    std::vector<Running*> loop_tasks_;
    Running *owner_task_ = nullptr, *hand_over_task_ = nullptr, *writer_task_ = nullptr;
    bool stopping_ = false, finished_ = false, clean_ = false;
};

}  // namespace posthorn::sim
