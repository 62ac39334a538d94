#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>

#include "async/event.hpp"
#include "ingest/answer.hpp"
#include "store/connection.hpp"

namespace posthorn::ingest {

// A submitted message on its way: its submitter waits on his loop, the writer works on another. It is queued,
// then in flight, then answered; a submitter who stops waiting while it is queued withdraws it, and it is
// never stored.
class Ticket : public std::enable_shared_from_this<Ticket> {
public:
    Ticket(store::NewMessage message, SteadyTime deadline);

    store::NewMessage message;  // the writer's once it is in flight
    SteadyTime deadline() const { return deadline_; }
    std::size_t bytes() const { return bytes_; }  // what it holds, about

    // The submitter's side, one coroutine. attach comes before anybody else has the ticket; the event is on
    // the executor's thread and outlives the ticket's use of it, which ends with leave.
    void attach(const boost::asio::any_io_executor& executor, Event& answered);
    void leave();
    bool ended() const;
    // The answer, as far as it is known at the deadline. Throws the store::DatabaseError that the writer
    // failed with.
    Answer take_answer();

    // The writer's side.
    bool begin();    // false: withdrawn
    void requeue();  // in flight -> queued; nothing of it was stored
    bool withdrawn() const;
    void answer(Answer answer);  // the first one counts
    void fail(const store::DatabaseError& error);

private:
    enum class State { queued, in_flight, answered, withdrawn };
    struct Waiter {
        boost::asio::any_io_executor executor;
        Event* answered;
    };
    // The error's parts, and no exception object: that would be shared by two threads.
    struct Failure {
        std::string sqlstate, message, constraint;
    };
    void end(std::variant<Answer, Failure> result);
    void wake();

    const SteadyTime deadline_;
    const std::size_t bytes_;
    mutable std::mutex mutex_;  // guards what follows
    State state_ = State::queued;
    std::optional<Waiter> waiter_;
    std::variant<Answer, Failure> result_;
};

}  // namespace posthorn::ingest
