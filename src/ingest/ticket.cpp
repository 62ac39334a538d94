#include "ingest/ticket.hpp"

#include <boost/asio/post.hpp>

namespace posthorn::ingest {

namespace {
constexpr std::size_t overhead_bytes = 1024;  // of a queued message besides its payload and headers

std::size_t bytes_of_headers(const store::NewMessage& message) {
    std::size_t bytes = 0;
    if (message.extras)
        for (const auto& [name, value] : message.extras->headers) bytes += name.size() + value.size();
    return bytes;
}
}  // namespace

Ticket::Ticket(store::NewMessage submitted, SteadyTime deadline)
    : message(std::move(submitted)),
      deadline_(deadline),
      bytes_(message.payload->size() + bytes_of_headers(message) + overhead_bytes) {}

void Ticket::attach(const boost::asio::any_io_executor& executor, Event& answered) {
    const std::lock_guard lock(mutex_);
    waiter_.emplace(Waiter{executor, &answered});
}

void Ticket::leave() {
    const std::lock_guard lock(mutex_);
    waiter_.reset();
    if (state_ == State::queued) state_ = State::withdrawn;
}

bool Ticket::ended() const {
    const std::lock_guard lock(mutex_);
    return state_ == State::answered;
}

Answer Ticket::take_answer() {
    const std::lock_guard lock(mutex_);
    switch (state_) {
        case State::queued:
            state_ = State::withdrawn;
            return Refusal::not_stored;
        case State::withdrawn:
            return Refusal::not_stored;
        case State::in_flight:
            return Refusal::unknown;
        case State::answered:
            break;
    }
    if (const auto* failure = std::get_if<Failure>(&result_))
        throw store::DatabaseError(failure->sqlstate, failure->message, failure->constraint);
    return std::get<Answer>(result_);
}

bool Ticket::begin() {
    const std::lock_guard lock(mutex_);
    if (state_ != State::queued) return false;
    state_ = State::in_flight;
    return true;
}

void Ticket::requeue() {
    const std::lock_guard lock(mutex_);
    if (state_ == State::in_flight) state_ = waiter_ ? State::queued : State::withdrawn;
}

bool Ticket::withdrawn() const {
    const std::lock_guard lock(mutex_);
    return state_ == State::withdrawn;
}

void Ticket::answer(Answer answer) { end(answer); }
void Ticket::fail(const store::DatabaseError& error) {
    end(Failure{error.sqlstate(), error.what(), error.constraint()});
}

void Ticket::end(std::variant<Answer, Failure> result) {
    const std::lock_guard lock(mutex_);
    if (state_ != State::in_flight) return;
    state_ = State::answered;
    result_ = std::move(result);
    // The submitter's loop runs for as long as he waits, and he can't leave while the lock is held.
    if (waiter_) boost::asio::post(waiter_->executor, [self = shared_from_this()] { self->wake(); });
}

void Ticket::wake() {
    const std::lock_guard lock(mutex_);
    if (waiter_) waiter_->answered->set();
}

}  // namespace posthorn::ingest
