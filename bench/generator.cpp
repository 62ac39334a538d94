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
constexpr int interrupt_poll_ms = 100;
constexpr std::uint64_t timer_tag = ~std::uint64_t{0};

std::string head_of(const std::string& path, const Generator::Options& options, std::size_t body_bytes) {
    return fmt::format(
        "POST {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\n"
        "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        path, options.port, options.token, body_bytes);
}

int status_of(const HttpFrame& answer) {
    const auto line = answer.first_line();
    int status = 0;
    if (line.size() >= 12) std::from_chars(line.data() + 9, line.data() + 12, status);
    return status;
}
}  // namespace

// When messages are due.
class Generator::Schedule {
public:
    Schedule(const Load& load, std::int64_t begin) : begin_(begin) {
        const auto duration = std::chrono::nanoseconds(load.duration).count();
        end_ = begin + duration;
        if (load.rate) interval_ns_ = static_cast<double>(second_ns) / *load.rate;
    }

    std::int64_t begin() const { return begin_; }
    // Of the next message; nothing: there is none.
    std::optional<std::int64_t> next() const {
        const auto due = interval_ns_ > 0
                             ? begin_ + static_cast<std::int64_t>(static_cast<double>(taken_) * interval_ns_)
                             : now_ns();
        return due < end_ ? std::optional(due) : std::nullopt;
    }
    void take() { ++taken_; }

private:
    std::int64_t begin_, end_ = 0;
    double interval_ns_ = 0;  // 0: always
    std::uint64_t taken_ = 0;
};

Generator::Generator(const Options& options, Ledger& ledger)
    : ledger_(ledger),
      event_(options.payload_bytes),
      bare_(options.bare),
      timer_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create") {
    const auto body_bytes = body_of(0).size();
    for (const auto& path : options.paths) heads_.push_back(head_of(path, options, body_bytes));
    poller_.add(timer_.get(), timer_tag);
    for (std::size_t i = 0; i < options.connections; ++i) {
        connections_.push_back({connect_to(loopback_address(0, options.port))});
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
        start_due(schedule);
        const bool all_answered = idle_.size() == connections_.size();
        if (all_answered && !schedule.next()) break;
        for (const auto& event : poller_.wait(interrupt_poll_ms))
            if (event.data.u64 == timer_tag)
                clear_timer();
            else
                read(event.data.u64, result);
        if (interrupted) throw Interrupted();
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

std::string_view Generator::body_of(std::uint64_t number) {
    return bare_ ? event_.payload(number) : event_.submission(number);
}

void Generator::send(std::int64_t due) {
    auto& connection = connections_[idle_.front()];
    connection.message = ledger_.take();
    ledger_[connection.message].due_ns = due;
    connection.stream.write(heads_[connection.message % heads_.size()], body_of(connection.message));
    idle_.pop_front();
}

void Generator::read(std::size_t index, LoadResult& result) {
    auto& connection = connections_[index];
    const auto bytes = connection.stream.read();
    if (!bytes) throw std::runtime_error("the service has closed a connection");
    const auto answer = first_frame(*bytes);
    if (!answer) return connection.stream.keep(*bytes);
    connection.stream.keep({});
    result.ended_ns = now_ns();
    idle_.push_back(index);
    if (const int status = status_of(*answer); status / 100 == 2) {
        ledger_[connection.message].accepted_ns = result.ended_ns;
        ++result.accepted;
    } else {
        ++result.refused[status];
    }
}

}  // namespace posthorn::bench
