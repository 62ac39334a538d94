#include "http/connection.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "http/access_log.hpp"
#include "http/request_id.hpp"
#include "http/response_text.hpp"

namespace posthorn::http {
namespace asio = boost::asio;
using asio::redirect_error;
using asio::use_awaitable;
using boost::system::error_code;

namespace {

constexpr std::size_t pipeline_depth = 16;                       // requests of a connection that run at once
constexpr std::size_t coalesced_bytes = std::size_t{64} * 1024;  // answers held back for one write
constexpr std::size_t kept_output_bytes =
    std::size_t{64} * 1024;  // memory an idle connection keeps for answers
constexpr std::size_t input_limit_bytes = std::size_t{32} * 1024;  // unless a header may be larger
constexpr std::size_t drain_limit_bytes =
    std::size_t{256} * 1024;  // read after the last answer, so that it arrives
constexpr std::chrono::seconds drain_timeout{2};

std::size_t input_limit(const ServerOptions& options) {
    return std::max(input_limit_bytes, options.header_limit_bytes * 2);
}

asio::awaitable<Response> dispatch(std::shared_ptr<const Router> router, Request& request) {
    co_return co_await router->dispatch(request);
}

}  // namespace

Connection::Connection(asio::ip::tcp::socket socket, const asio::ip::tcp::endpoint& peer,
                       std::shared_ptr<const Service> service)
    : socket_(std::move(socket)),
      peer_(peer.address().to_string()),
      service_(std::move(service)),
      input_(input_limit(service_->options)),
      parser_(service_->options.header_limit_bytes, service_->options.body_limit_bytes),
      exchange_done_(socket_.get_executor(), SteadyTime::max()) {}

asio::awaitable<void> Connection::serve(std::shared_ptr<Connection> self) { co_await self->run(); }

void Connection::expire(SteadyTime now) {
    if (now < deadline_) return;
    disarm();
    timed_out_ = true;
    error_code ignored;  // it fails for a closed socket only
    socket_.cancel(ignored);
}

std::optional<SteadyTime> Connection::idle_since() const {
    if (waiting_in_ != Phase::idle || deadline_ == SteadyTime::max()) return std::nullopt;
    return deadline_ - service_->options.idle_timeout;
}

void Connection::begin_stop() {
    stopping_ = true;
    end_if_idle();
}

void Connection::end_if_idle() {
    // A request may have arrived that the loop has not come to yet: it counts as begun.
    error_code unknown;
    if (waiting_in_ != Phase::idle || socket_.available(unknown) != 0) return;
    disarm();
    socket_.cancel(unknown);
}

void Connection::refuse(Problem problem) {
    if (!refusal_) refusal_ = std::move(problem);
    if (waiting_in_ != Phase::body) return;  // the answers that it owes come first
    disarm();
    error_code ignored;  // it fails for a closed socket only
    socket_.cancel(ignored);
}

void Connection::cut() {
    cut_ = broken_ = true;
    error_code ignored;  // the descriptor is released in any case
    socket_.close(ignored);
    cancellation_.emit(asio::cancellation_type::terminal);
    for (auto& exchange : batch_)
        if (exchange.cancellation) exchange.cancellation->emit(asio::cancellation_type::terminal);
}

void Connection::arm(Duration timeout) {
    timed_out_ = false;
    deadline_ = std::chrono::steady_clock::now() + timeout;
}

// Cancellation comes from cut() alone, which closes the socket: the loop sees that as errors, so that it can
// still wait for its handlers.
asio::awaitable<void> Connection::run() {
    co_await asio::this_coro::throw_if_cancelled(false);
    while (!closing_ && !broken_) {
        if (!co_await read_batch()) break;
        co_await answer_batch();
    }
    if (refusal_ && !closing_ && !broken_) append_refusal();
    co_await close();
}

// ---- reading

// True with at least one request in the batch. Else the connection has ended, or refusal_ says why it must.
asio::awaitable<bool> Connection::read_batch() {
    batch_.clear();
    if (refusal_) co_return false;
    for (;;) {
        parse_buffered();
        if (!batch_.empty()) break;
        if (refusal_ || !co_await read_more()) co_return false;
    }
    disarm();
    waiting_in_.reset();
    co_return true;
}

void Connection::parse_buffered() {
    try {
        while (batch_.size() < pipeline_depth && parser_.advance(input_) == RequestParser::Step::complete) {
            auto result = parser_.take();
            auto& exchange = batch_.emplace_back();
            exchange.request = std::move(result.request);
            exchange.request.id = choose_request_id(exchange.request.fields);
            exchange.request.peer = peer_;
            exchange.started = std::chrono::steady_clock::now();
            exchange.bytes_in = result.bytes;
            exchange.keep_alive = result.keep_alive;
            if (!exchange.keep_alive) return;
        }
    } catch (const Problem& problem) {
        refusal_ = problem;
    }
}

asio::awaitable<bool> Connection::read_more() {
    const auto phase = parser_.phase(input_);
    if (stopping_ && phase == Phase::idle) co_return false;
    if (phase == Phase::body && input_.empty() && parser_.take_expectation()) {
        output_ += "HTTP/1.1 100 Continue\r\n\r\n";
        if (!flush_now()) co_await flush_rest();
        waiting_in_.reset();
    }
    if (waiting_in_ != phase) {
        const auto& options = service_->options;
        arm(phase == Phase::idle ? options.idle_timeout
                                 : (phase == Phase::head ? options.header_timeout : options.body_timeout));
        waiting_in_ = phase;
    }
    if (co_await receive()) co_return true;
    if (timed_out_ && phase != Phase::idle)
        refusal_ = Problem{408, "request_timeout",
                           phase == Phase::head ? "The request's header took too long to arrive."
                                                : "The request's body took too long to arrive."};
    co_return false;
}

asio::awaitable<bool> Connection::receive() {
    const auto space = input_.prepare();
    error_code error;
    const auto count = co_await socket_.async_read_some(asio::buffer(space.data(), space.size()),
                                                        redirect_error(use_awaitable, error));
    input_.commit(count);
    co_return !error && !timed_out_ && !refusal_;
}

// ---- answering

// Ends when every handler of the batch has, whatever became of the client.
asio::awaitable<void> Connection::answer_batch() {
    co_await run_batch();
    const auto* last = &batch_.back();
    for (auto& exchange : batch_) {
        if (!exchange.done) {
            if (!flush_now()) co_await flush_rest();
            co_await join(exchange);
        }
        if (exchange.failure)
            broken_ = true;
        else
            append_answer(exchange, &exchange == last && !refusal_ && (stopping_ || !exchange.keep_alive));
        if (output_.size() >= coalesced_bytes && !flush_now()) co_await flush_rest();
    }
    if (!flush_now()) co_await flush_rest();
    for (const auto& exchange : batch_)
        if (exchange.failure) std::rethrow_exception(exchange.failure);
}

// A single request, which is the rule, runs in the connection's own coroutine; pipelined ones get one each.
asio::awaitable<void> Connection::run_batch() {
    if (batch_.size() > 1) {
        for (auto& exchange : batch_) start(exchange);
        co_return;
    }
    auto& exchange = batch_.front();
    co_await asio::this_coro::throw_if_cancelled(true);
    exchange.response = co_await service_->router->dispatch(exchange.request);
    co_await asio::this_coro::throw_if_cancelled(false);
    exchange.done = true;
}

void Connection::start(Exchange& exchange) {
    exchange.cancellation = std::make_unique<asio::cancellation_signal>();
    // The exchange stays where it is until it is joined, and the connection with it.
    auto finish = [self = shared_from_this(), &exchange](std::exception_ptr failure, Response response) {
        exchange.failure = std::move(failure);
        exchange.response = std::move(response);
        exchange.done = true;
        self->exchange_done_.cancel();
    };
    asio::co_spawn(socket_.get_executor(), dispatch(service_->router, exchange.request),
                   asio::bind_cancellation_slot(exchange.cancellation->slot(), std::move(finish)));
}

asio::awaitable<void> Connection::join(Exchange& exchange) {
    while (!exchange.done) {
        error_code woken;  // always: the timer never expires, it is cancelled
        co_await exchange_done_.async_wait(redirect_error(use_awaitable, woken));
    }
}

void Connection::append_answer(const Exchange& exchange, bool closes) {
    if (closes) closing_ = true;
    const auto& request = exchange.request;
    const auto bytes_out = append_response(
        output_, exchange.response,
        {.request_id = request.id, .head_only = request.method == Method::head, .close = closes});
    if (!service_->options.access_log) return;
    log_access({.request = request,
                .status = exchange.response.status,
                .duration = std::chrono::steady_clock::now() - exchange.started,
                .bytes_in = exchange.bytes_in,
                .bytes_out = bytes_out});
}

void Connection::append_refusal() {
    Exchange exchange;
    auto partial = parser_.take_partial();
    exchange.request = std::move(partial.request);
    exchange.request.id = choose_request_id(exchange.request.fields);
    exchange.request.peer = peer_;
    exchange.response = to_response(*refusal_);
    exchange.started = std::chrono::steady_clock::now();
    exchange.bytes_in = partial.bytes;
    append_answer(exchange, true);
}

// ---- writing

// Sends what the socket takes at once, which is nearly always everything. False if something is left.
bool Connection::flush_now() {
    while (!broken_ && sent_ < output_.size()) {
        error_code error;
        sent_ += socket_.write_some(asio::buffer(output_) + sent_, error);
        if (error == asio::error::would_block) return false;
        if (error) broken_ = true;
    }
    if (output_.capacity() > kept_output_bytes)
        output_ = {};
    else
        output_.clear();
    sent_ = 0;
    return true;
}

// The write timeout is for a client that takes nothing at all for so long.
asio::awaitable<void> Connection::flush_rest() {
    while (!flush_now()) {
        arm(service_->options.write_timeout);
        error_code error;
        sent_ += co_await socket_.async_write_some(asio::buffer(output_) + sent_,
                                                   redirect_error(use_awaitable, error));
        disarm();
        if (error || timed_out_) broken_ = true;
    }
}

// ---- ending

asio::awaitable<void> Connection::close() {
    waiting_in_.reset();
    if (!flush_now()) co_await flush_rest();
    error_code ignored;  // whatever fails here, the connection is gone
    const bool has_unread = refusal_ || !input_.empty() || socket_.available(ignored) > 0;
    if (!broken_ && closing_ && has_unread) co_await drain();
    disarm();
    socket_.close(ignored);
}

// Closing with unread bytes would reset the connection, and the client might lose the answer (RFC 9112, 9.6).
asio::awaitable<void> Connection::drain() {
    error_code error;
    socket_.shutdown(asio::socket_base::shutdown_send, error);
    arm(drain_timeout);
    for (std::size_t drained = 0; drained < drain_limit_bytes && !error && !timed_out_;) {
        input_.clear();
        const auto space = input_.prepare();
        drained += co_await socket_.async_read_some(asio::buffer(space.data(), space.size()),
                                                    redirect_error(use_awaitable, error));
    }
}

}  // namespace posthorn::http
