#pragma once
#include <boost/asio/awaitable.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "async/event.hpp"
#include "store/delivery.hpp"
#include "store/worker_session.hpp"

namespace posthorn::workers {

// Group commit of outcomes: what has gathered while a flush was under way is the next one, or what gathers
// within a moment, since nobody waits for an outcome but the next delivery of an ordered endpoint. Nothing
// that is added is dropped: a lost connection is opened again and the batch repeated (an outcome that was
// committed after all then matches no row).
class Completion {
public:
    struct Callbacks {
        std::function<void(const store::Outcome&, const store::Completion&)> committed;
        std::function<void()> connection_lost;  // what was committed asynchronously before may be undone
    };
    Completion(boost::asio::any_io_executor executor, store::WorkerDatabase& database, const Clock& clock,
               Callbacks callbacks);

    // at_once: somebody waits for it.
    void add(store::Outcome outcome, bool at_once = false);
    std::size_t waiting() const { return queue_.size() + in_flush_; }

    // Flushes until cancelled.
    boost::asio::awaitable<void> run();

private:
    boost::asio::awaitable<void> gather();
    std::vector<store::Outcome> take_batch();
    boost::asio::awaitable<void> flush_plain(std::vector<store::Outcome> batch);
    boost::asio::awaitable<void> flush(std::vector<store::Outcome> batch);
    boost::asio::awaitable<bool> commit(std::vector<store::Outcome>& batch);
    boost::asio::awaitable<void> commit_alone(store::Outcome outcome);
    boost::asio::awaitable<void> connect();
    void report(const std::vector<store::Outcome>& batch, const std::vector<store::Completion>& completions);

    boost::asio::any_io_executor executor_;
    store::WorkerDatabase& database_;
    const Clock& clock_;
    Callbacks callbacks_;
    Event added_;
    std::unique_ptr<store::WorkerSession> session_;
    std::deque<store::Outcome> queue_;
    bool at_once_ = false;
    std::size_t in_flush_ = 0;
    bool was_connected_ = false;
};

}  // namespace posthorn::workers
