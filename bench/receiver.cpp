#include "bench/receiver.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fmt/format.h>
#include <stdexcept>
#include <sys/socket.h>

#include "base/clock.hpp"
#include "domain/signature.hpp"

namespace posthorn::bench {

namespace {
constexpr std::uint64_t listener_tag = 0;
constexpr int backlog = 4096;
constexpr int stop_poll_ms = 50;
constexpr std::chrono::minutes signature_tolerance{5};
constexpr std::string_view success = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
constexpr std::string_view failure = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";
constexpr std::string_view path_begin = "/endpoint/";

// Every address of 127.0.0.0/8 must be taken, and a socket takes one or all: strangers are cut at accept.
Descriptor bind_to_any() {
    Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket");
    sockaddr_in any{};
    any.sin_family = AF_INET;
    if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0) fail_with_errno("bind");
    return socket;
}

Descriptor listen_on_loopback() {
    auto socket = bind_to_any();
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

std::string loopback_url(std::uint32_t endpoint, std::uint16_t port, std::string_view scheme) {
    return fmt::format("{}://{}:{}{}", scheme, loopback_text(Receiver::first_host + endpoint), port,
                       Receiver::path_of(endpoint));
}

void add_one(std::atomic<std::uint64_t>& count) { count.fetch_add(1, std::memory_order_relaxed); }
}  // namespace

Receiver::Receiver(Ledger& ledger, std::size_t payload_bytes, std::uint32_t endpoints,
                   const Certificates* certificates)
    : ledger_(ledger),
      event_(payload_bytes),
      certificates_(certificates),
      manners_(endpoints),
      listener_(listen_on_loopback()),
      refusing_(bind_to_any()),
      port_(port_of(listener_)),
      refusing_port_(port_of(refusing_)) {
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
    return loopback_url(endpoint, port_, certificates_ ? "https" : "http");
}

std::string Receiver::refusing_url_of(std::uint32_t endpoint) const {
    return loopback_url(endpoint, refusing_port_, "http");
}

void Receiver::check_signatures(std::vector<std::string> keys, std::uint64_t every) {
    keys_ = std::move(keys);
    check_every_ = every;
}

void Receiver::rethrow_failure() const {
    if (failed_) std::rethrow_exception(failure_);
}

void Receiver::run() {
    while (!stopping_) {
        for (const auto& event : poller_.wait(poll_limit_ms()))
            if (event.data.u64 == listener_tag)
                accept_all();
            else
                read(event.data.u64);
        send_late_answers();
    }
}

int Receiver::poll_limit_ms() const {
    if (late_answers_.empty()) return stop_poll_ms;
    const auto left_ms = (late_answers_.front().due_ns - now_ns()) / 1'000'000 + 1;
    return static_cast<int>(std::clamp<std::int64_t>(left_ms, 0, stop_poll_ms));
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
        auto tls = tls_for(socket);
        connections_.emplace(tag, Connection{Stream(std::move(socket), std::move(tls))});
    }
}

// Each endpoint proves to be its own address.
TlsSession Receiver::tls_for(const Descriptor& socket) const {
    if (!certificates_) return nullptr;
    sockaddr_in own{};
    socklen_t size = sizeof own;
    if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&own), &size) != 0)
        fail_with_errno("getsockname");
    return certificates_->accept_as(ntohl(own.sin_addr.s_addr));
}

void Receiver::read(std::uint64_t tag) {
    auto& connection = connections_.at(tag);
    auto& stream = connection.stream;
    auto bytes = stream.read();
    if (!bytes) {
        connections_.erase(tag);
        return;
    }
    if (bytes->empty()) return;  // of a TLS handshake
    if (stream.speaks_http2()) return read_http2(connection, *bytes);
    const auto now = now_ns();
    while (const auto request = first_frame(*bytes)) {
        const auto manner = take(*request, now);
        if (manner == Manner::slow)
            late_answers_.push_back({now + std::chrono::nanoseconds(slow_answer).count(), tag});
        else
            answer(stream, manner == Manner::prompt ? success : failure);
        bytes->remove_prefix(request->size);
    }
    stream.keep(*bytes);
}

// Nobody is slow here.
void Receiver::read_http2(Connection& connection, std::string_view bytes) {
    if (!connection.http2)
        connection.http2 = std::make_unique<Http2Session>([this](const HttpFrame& request) {
            add_one(counts_.over_http2);
            return take(request, now_ns()) == Manner::failing ? 500 : 200;
        });
    if (const auto text = connection.http2->receive(bytes); !text.empty()) answer(connection.stream, text);
}

void Receiver::send_late_answers() {
    while (!late_answers_.empty() && late_answers_.front().due_ns <= now_ns()) {
        if (const auto found = connections_.find(late_answers_.front().connection);
            found != connections_.end())
            answer(found->second.stream, success);
        late_answers_.pop_front();
    }
}

void Receiver::answer(Stream& stream, std::string_view text) {
    stream.write(text);
    if (stream.has_unsent()) throw std::runtime_error("the service does not read what it is answered");
}

Manner Receiver::take(const HttpFrame& request, std::int64_t now) {
    const auto endpoint = endpoint_in(request.first_line());
    const auto number = Event::number_in(request.body);
    if (!number || !ledger_.holds(*number) || request.body != event_.payload(*number)) {
        add_one(counts_.foreign);
        return Manner::prompt;
    }
    const auto& destination = ledger_[*number].destination;
    const auto place = endpoint.value_or(most_endpoints) - destination.first_endpoint;
    if (place >= destination.endpoints) {
        add_one(counts_.misdelivered);
        return Manner::prompt;
    }
    const auto manner = manners_[*endpoint].load();
    if (manner == Manner::failing) {
        add_one(counts_.failed);
        return manner;
    }
    auto& delivery = ledger_[*number + place];
    std::int64_t never = 0;
    delivery.arrived_ns.compare_exchange_strong(never, now, std::memory_order_relaxed);
    delivery.arrivals.fetch_add(1, std::memory_order_release);
    add_one(counts_.requests);
    if (check_every_ > 0 && (*number + place) % check_every_ == 0) check_signature(request, *endpoint);
    return manner;
}

void Receiver::check_signature(const HttpFrame& request, std::uint32_t endpoint) {
    const auto result = domain::verify_signature(
        keys_[endpoint], request.field("webhook-id"), request.field("webhook-timestamp"),
        request.field("webhook-signature"), request.body, RealClock().system_now(), signature_tolerance);
    add_one(counts_.signatures);
    if (!result.valid) add_one(counts_.forged);
}

}  // namespace posthorn::bench
