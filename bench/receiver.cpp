#include "bench/receiver.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <charconv>
#include <fmt/format.h>
#include <sys/socket.h>

#include "base/clock.hpp"
#include "domain/signature.hpp"

namespace posthorn::bench {

namespace {
constexpr std::uint64_t listener_tag = 0;
constexpr int backlog = 4096;
constexpr int stop_poll_ms = 50;
constexpr std::chrono::minutes signature_tolerance{5};
constexpr std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
constexpr std::string_view path_begin = "/endpoint/";
constexpr std::uint32_t first_host = 0x10000;  // 127.1.0.1

// Every address of 127.0.0.0/8 must be taken, and a socket takes one or all: strangers are cut at accept.
Descriptor listen_on_loopback() {
    Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket");
    sockaddr_in any{};
    any.sin_family = AF_INET;
    if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0) fail_with_errno("bind");
    if (listen(socket.get(), backlog) != 0) fail_with_errno("listen");
    return socket;
}

std::uint16_t port_of(const Descriptor& socket) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
        fail_with_errno("getsockname");
    return ntohs(address.sin_port);
}

std::optional<std::uint32_t> endpoint_in(std::string_view request_line) {
    const auto at = request_line.find(path_begin);
    if (at == std::string_view::npos) return std::nullopt;
    std::uint32_t endpoint = 0;
    const auto digits = request_line.substr(at + path_begin.size());
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), endpoint);
    return error == std::errc() && *end == ' ' ? std::optional(endpoint) : std::nullopt;
}

void add_one(std::atomic<std::uint64_t>& count) { count.fetch_add(1, std::memory_order_relaxed); }
}  // namespace

Receiver::Receiver(Ledger& ledger, std::size_t payload_bytes, std::uint32_t endpoints)
    : ledger_(ledger),
      event_(payload_bytes),
      endpoints_(endpoints),
      listener_(listen_on_loopback()),
      port_(port_of(listener_)) {
    poller_.add(listener_.get(), listener_tag);
    thread_ = std::thread([this] {
        try {
            run();
        } catch (...) {
            failure_ = std::current_exception();
            failed_ = true;
        }
    });
}

Receiver::~Receiver() {
    stopping_ = true;
    thread_.join();
}

std::string Receiver::path_of(std::uint32_t endpoint) { return fmt::format("{}{}", path_begin, endpoint); }

std::string Receiver::url_of(std::uint32_t endpoint) const {
    const auto address = loopback_address(first_host + endpoint, port_);
    std::array<char, INET_ADDRSTRLEN> text{};
    inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size());
    return fmt::format("http://{}:{}{}", text.data(), port_, path_of(endpoint));
}

void Receiver::check_signatures(std::vector<std::string> keys, std::uint64_t every) {
    keys_ = std::move(keys);
    check_every_ = every;
}

void Receiver::rethrow_failure() const {
    if (failed_) std::rethrow_exception(failure_);
}

void Receiver::run() {
    while (!stopping_)
        for (const auto& event : poller_.wait(stop_poll_ms))
            if (event.data.u64 == listener_tag)
                accept_all();
            else
                read(event.data.u64);
}

void Receiver::accept_all() {
    while (true) {
        sockaddr_in peer{};
        socklen_t size = sizeof peer;
        const int number =
            accept4(listener_.get(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (number < 0 && (errno == EAGAIN || errno == ECONNABORTED)) return;
        Descriptor socket(number, "accept4");
        if (ntohl(peer.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET) continue;
        const auto tag = next_tag_++;
        poller_.add(socket.get(), tag);
        streams_.emplace(tag, Stream(std::move(socket)));
    }
}

void Receiver::read(std::uint64_t tag) {
    auto& stream = streams_.at(tag);
    auto bytes = stream.read();
    if (!bytes) {
        streams_.erase(tag);
        return;
    }
    const auto now = now_ns();
    while (const auto request = first_frame(*bytes)) {
        take(*request, now);
        stream.write(answer);
        bytes->remove_prefix(request->size);
    }
    stream.keep(*bytes);
}

void Receiver::take(const HttpFrame& request, std::int64_t now) {
    const auto number = Event::number_in(request.body);
    if (!number || !ledger_.holds(*number) || request.body != event_.payload(*number)) {
        add_one(counts_.foreign);
        return;
    }
    const auto endpoint = static_cast<std::uint32_t>(*number % endpoints_);
    if (endpoint_in(request.first_line()) != endpoint) add_one(counts_.misdelivered);
    auto& record = ledger_[*number];
    std::int64_t never = 0;
    record.arrived_ns.compare_exchange_strong(never, now, std::memory_order_relaxed);
    record.arrivals.fetch_add(1, std::memory_order_release);
    add_one(counts_.requests);
    if (check_every_ > 0 && *number % check_every_ == 0) check_signature(request, endpoint);
}

void Receiver::check_signature(const HttpFrame& request, std::uint32_t endpoint) {
    const auto result = domain::verify_signature(
        keys_[endpoint], request.field("webhook-id"), request.field("webhook-timestamp"),
        request.field("webhook-signature"), request.body, RealClock().system_now(), signature_tolerance);
    add_one(counts_.signatures);
    if (!result.valid) add_one(counts_.forged);
}

}  // namespace posthorn::bench
