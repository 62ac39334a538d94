#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution.hpp>
#include <deque>
#include <memory>
#include <type_traits>

#include "async/simulated_time.hpp"

namespace posthorn::sim {

// Where one simulated process runs: what it does next is one job of a queue, and it runs when the simulation
// says so. Destroyed with jobs and waiting coroutines in it, it is a process that was killed.
class Machine : public boost::asio::execution_context {
public:
    class Executor {
    public:
        explicit Executor(Machine& machine) : machine_(&machine) {}

        Machine& query(boost::asio::execution::context_t) const noexcept { return *machine_; }
        static constexpr boost::asio::execution::blocking_t::never_t query(
            boost::asio::execution::blocking_t) noexcept {
            return {};
        }
        template <class Body>
        void execute(Body&& body) const {
            if (machine_->ended_) return;
            machine_->jobs_.push_back(std::make_unique<JobOf<std::decay_t<Body>>>(std::forward<Body>(body)));
        }
        bool operator==(const Executor&) const noexcept = default;

    private:
        Machine* machine_;
    };

    explicit Machine(const Clock& clock) : time_(boost::asio::use_service<SimulatedTime>(*this)) {
        time_.follow(clock, executor());
    }
    ~Machine() { end(); }
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    // The process is killed: its coroutines are destroyed where they stand, nothing of it runs any more.
    void end() {
        ended_ = true;
        while (!jobs_.empty()) jobs_.pop_front();
        shutdown();
    }
    bool ended() const { return ended_; }

    boost::asio::any_io_executor executor() { return Executor(*this); }
    SimulatedTime& time() { return time_; }
    bool ready() const { return !jobs_.empty(); }
    void run_one() {
        const auto job = std::move(jobs_.front());
        jobs_.pop_front();
        job->run();
    }

private:
    struct Job {
        virtual ~Job() = default;
        virtual void run() = 0;
    };
    template <class Body>
    struct JobOf final : Job {
        explicit JobOf(Body given) : body(std::move(given)) {}
        void run() override { std::move(body)(); }
        Body body;
    };

    SimulatedTime& time_;
    std::deque<std::unique_ptr<Job>> jobs_;
    bool ended_ = false;
};

}  // namespace posthorn::sim
