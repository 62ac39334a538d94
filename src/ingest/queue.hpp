#pragma once
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "ingest/ticket.hpp"

namespace posthorn::ingest {

using Tickets = std::vector<std::shared_ptr<Ticket>>;

// The submitted messages that wait for the writer, bounded. Any thread; one writer takes.
class SubmissionQueue {
public:
    struct Bounds {
        std::size_t messages;
        std::size_t bytes;
    };
    explicit SubmissionQueue(Bounds bounds) : bounds_(bounds) {}

    enum class Pushed { full, waits, wakes_the_writer };
    Pushed push(std::shared_ptr<Ticket> ticket);

    // The oldest tickets, at most so many and so many bytes (but at least one), put in flight. Those
    // withdrawn are dropped. A ticket that shares an idempotency key with one taken is passed over: the later
    // one must see what became of the first. Empty: the next push wakes the writer.
    Tickets take(Bounds batch);

    // Tickets that were taken and requeued, to be taken next.
    void put_back(const Tickets& tickets);
    void drop_withdrawn();
    std::size_t size() const;

private:
    const Bounds bounds_;
    mutable std::mutex mutex_;  // guards what follows
    std::deque<std::shared_ptr<Ticket>> tickets_;
    std::size_t bytes_ = 0;
    bool writer_sleeps_ = false;
};

}  // namespace posthorn::ingest
