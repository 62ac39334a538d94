#pragma once
#include <boost/asio/awaitable.hpp>
#include <chrono>

#include "store/connection.hpp"
#include "store/replay_job.hpp"

namespace posthorn::workers {

struct ReplayOptions {
    store::ReplayLimits limits;
    std::chrono::milliseconds look_interval{1'000};  // how often an idle runner looks for jobs
};

// Works off the stored replay jobs, one small transaction after another, apart from live traffic: it feeds
// the table, and the dispatchers take it from there. One a process is enough; all processes together share
// the jobs.
class ReplayRunner {
public:
    // The pool is the runner's loop's and outlives it; one connection of it is used while there is work.
    explicit ReplayRunner(store::Pool& pool, ReplayOptions options = {});

    // Until cancelled. While the database is away it tries again and again.
    boost::asio::awaitable<void> run();

private:
    boost::asio::awaitable<std::chrono::milliseconds> work();

    store::Pool& pool_;
    ReplayOptions options_;
};

}  // namespace posthorn::workers
