#include "bench/generator.hpp"

#include <cerrno>
#include <charconv>
#include <fmt/format.h>
#include <stdexcept>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bench/http_frame.hpp"

namespace posthorn::bench {

std::atomic<bool> interrupted{false};

namespace {
constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::int64_t answer_limit_ns = 60 * second_ns;
constexpr int interrupt_poll_ms = 100, keep_going_poll_ms = 20;
constexpr std::int64_t keep_going_interval_ns = 20'000'000;
constexpr std::uint64_t timer_tag = ~std::uint64_t{0};
constexpr std::string_view begin_of_batch = R"({"messages":[)", end_of_batch = "]}";

std::string head_of(const std::string& path, const Generator::Options& options, std::size_t body_bytes) {
    return fmt::format(
        "POST {} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\n"
        "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        path, options.token, body_bytes);
}

// All requests are equally long.
std::size_t body_bytes_of(const Generator::Options& options, Event& event) {
    if (options.bare) return event.payload(0).size();
    const auto count = options.messages_per_request;
    if (count == 1) return event.submission(0).size();
    return begin_of_batch.size() + count * (event.submission(0).size() + 1) - 1 + end_of_batch.size();
}

int status_of(const HttpFrame& answer) {
    const auto line = answer.first_line();
    int status = 0;
    if (line.size() >= 12) std::from_chars(line.data() + 9, line.data() + 12, status);
    return status;
}
}  // namespace

void throw_if_interrupted() {
    if (interrupted) throw Interrupted();
}

// When requests are due.
class Generator::Schedule {
public:
    Schedule(const Load& load, std::int64_t begin) : load_(load), begin_(begin), next_look_(begin) {
        end_ = begin + std::chrono::nanoseconds(load.duration).count();
        if (load.rate) interval_ns_ = static_cast<double>(second_ns) / *load.rate;
    }

    std::int64_t begin() const { return begin_; }
    // Of the next request; nothing: there is none.
    std::optional<std::int64_t> next() const {
        const auto due = interval_ns_ > 0
                             ? begin_ + static_cast<std::int64_t>(static_cast<double>(taken_) * interval_ns_)
                             : now_ns();
        return due < end_ ? std::optional(due) : std::nullopt;
    }
    void take() { ++taken_; }
    void look() {
        if (!load_.keep_going || now_ns() < next_look_) return;
        next_look_ = now_ns() + keep_going_interval_ns;
        if (!load_.keep_going()) end_ = begin_;
    }

private:
    const Load& load_;
    std::int64_t begin_, next_look_, end_ = 0;
    double interval_ns_ = 0;  // 0: always
    std::uint64_t taken_ = 0;
};

Generator::Generator(const Options& options, Ledger& ledger)
    : ledger_(ledger),
      event_(options.payload_bytes),
      targets_(options.targets),
      messages_per_request_(options.messages_per_request),
      bare_(options.bare),
      timer_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create") {
    const auto body_bytes = body_bytes_of(options, event_);
    const auto* batch = messages_per_request_ > 1 ? "/batch" : "";
    for (const auto& target : targets_) heads_.push_back(head_of(target.path + batch, options, body_bytes));
    poller_.add(timer_.get(), timer_tag);
    for (std::size_t i = 0; i < options.connections; ++i) {
        connections_.push_back({connect_to(loopback_address(0, options.ports[i % options.ports.size()]))});
        poller_.add(connections_.back().stream.descriptor(), i);
        idle_.push_back(i);
    }
}

LoadResult Generator::run(const Load& load) {
    LoadResult result;
    Schedule schedule(load, now_ns());
    result.first = ledger_.next();
    result.began_ns = result.ended_ns = schedule.begin();
    while (true) {
        schedule.look();
        start_due(schedule);
        const bool all_answered = idle_.size() == connections_.size();
        if (all_answered && !schedule.next()) break;
        for (const auto& event : poller_.wait(load.keep_going ? keep_going_poll_ms : interrupt_poll_ms))
            serve(event, result);
        throw_if_interrupted();
        if (!all_answered && now_ns() - result.ended_ns > answer_limit_ns)
            throw std::runtime_error("the service has not answered for a minute");
    }
    result.end = ledger_.next();
    return result;
}

void Generator::start_due(Schedule& schedule) {
    while (!idle_.empty()) {
        const auto due = schedule.next();
        if (!due) return;
        if (*due > now_ns()) return arm_timer(*due);
        send(*due);
        schedule.take();
    }
}

void Generator::arm_timer(std::int64_t due) {
    itimerspec at{};
    at.it_value.tv_sec = due / second_ns;
    at.it_value.tv_nsec = due % second_ns;
    if (timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &at, nullptr) != 0)
        fail_with_errno("timerfd_settime");
}

void Generator::clear_timer() {
    std::uint64_t expirations = 0;
    if (::read(timer_.get(), &expirations, sizeof expirations) < 0 && errno != EAGAIN)
        fail_with_errno("read");
}

// Takes the numbers of its messages. Good until the next call.
std::string_view Generator::body_of(const Target& target, std::int64_t due) {
    if (bare_) return event_.payload(ledger_.take(target.destination, due));
    if (messages_per_request_ == 1) return event_.submission(ledger_.take(target.destination, due));
    batch_ = begin_of_batch;
    for (std::size_t i = 0; i < messages_per_request_; ++i) {
        if (i > 0) batch_ += ',';
        batch_ += event_.submission(ledger_.take(target.destination, due));
    }
    batch_ += end_of_batch;
    return batch_;
}

void Generator::send(std::int64_t due) {
    const auto index = idle_.front();
    idle_.pop_front();
    auto& connection = connections_[index];
    const auto place = next_target_++ % targets_.size();
    connection.first = ledger_.next();
    const auto body = body_of(targets_[place], due);
    connection.end = ledger_.next();
    connection.stream.write(heads_[place], body);
    if (connection.stream.has_unsent()) poller_.change(connection.stream.descriptor(), index, true);
}

void Generator::serve(const epoll_event& event, LoadResult& result) {
    if (event.data.u64 == timer_tag) return clear_timer();
    const auto index = event.data.u64;
    auto& connection = connections_[index];
    if (connection.stream.has_unsent()) {
        connection.stream.flush();
        if (!connection.stream.has_unsent()) poller_.change(connection.stream.descriptor(), index, false);
    }
    if ((event.events & ~std::uint32_t{EPOLLOUT}) != 0) read(connection, index, result);
}

void Generator::read(Connection& connection, std::size_t index, LoadResult& result) {
    const auto bytes = connection.stream.read();
    if (!bytes) throw std::runtime_error("the service has closed a connection");
    const auto answer = first_frame(*bytes);
    if (!answer) return connection.stream.keep(*bytes);
    const int status = status_of(*answer);
    connection.stream.keep({});
    result.ended_ns = now_ns();
    idle_.push_back(index);
    note_answer(connection, status, result);
}

// A batch is answered 202 whatever its messages get: one that was refused counts as lost.
void Generator::note_answer(const Connection& connection, int status, LoadResult& result) {
    if (status / 100 != 2) {
        result.refused[status] += messages_per_request_;
        return;
    }
    for (auto number = connection.first; number < connection.end; ++number)
        ledger_[number].accepted_ns = result.ended_ns;
    result.messages += messages_per_request_;
}

}  // namespace posthorn::bench
