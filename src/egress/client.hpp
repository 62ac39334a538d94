#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "domain/endpoint_url.hpp"
#include "egress/address_guard.hpp"

namespace posthorn::egress {

struct ClientOptions {
    std::size_t connection_cache = 1024;               // idle and busy connections kept
    std::size_t response_read_limit_bytes = 65'536;    // reading stops there; the request counts as answered
    std::size_t response_keep_limit_bytes = 16'384;    // what Result::body holds at most
    std::size_t response_header_limit_bytes = 32'768;  // beyond: Failure::protocol
    std::size_t receive_limit_bytes = 4'194'304;       // an answer with all that it is wrapped in; likewise
    std::chrono::milliseconds connect_timeout{5'000};  // within the request's deadline
    std::string ca_file = "/etc/ssl/certs/ca-certificates.crt";
    std::string user_agent;                 // "Posthorn/0.1.0"
    std::vector<std::string> name_servers;  // "127.0.0.1:5353", "[::1]:53"; empty: the system's
};

enum class Failure : std::uint8_t {
    none,             // an HTTP answer was received; its status says more
    not_started,      // may_start said no, or close() came first: no byte of the request was sent
    address_refused,  // the address guard
    name_unresolved,
    connect,   // refused, unreachable
    tls,       // handshake, certificate, host name
    timeout,   // the deadline; covers names, connect, TLS, headers and body
    protocol,  // not HTTP, header limits, connection ended early
    aborted,   // close() after the first byte and before the last
};
std::string_view to_string(
    Failure failure);  // a plain word for people, e.g. "the name could not be resolved"

struct Request {
    std::string url;                                        // http or https, already normalised
    std::shared_ptr<const domain::EndpointUrl> parsed_url;  // what it was parsed as; null: that is done
    std::vector<std::pair<std::string, std::string>>
        headers;  // no CR, LF or NUL in either (checked: protocol)
    std::shared_ptr<const std::string> body;
    std::chrono::milliseconds timeout{15'000};  // one monotonic deadline for everything
    bool http2 = false;                         // offer HTTP/2 by ALPN
    // Asked once more right before the first byte of the request, after names, connect and TLS (and again if
    // the request must be sent a second time: see Client). Must not throw and must not call the client.
    std::function<bool()> may_start;
    std::uint64_t group = 0;  // for close()
};

struct Result {
    Failure failure = Failure::none;
    int status = 0;    // 0 without an answer; may be set beside a failure, if that came after the headers
    std::string body;  // as received, at most response_keep_limit_bytes
    std::string retry_after;       // the headers that matter, as sent; empty if absent
    std::string webhook_delivery;  // "webhook-delivery" header
    std::string detail;            // curl's or our own words, for operators
    std::chrono::microseconds duration{0};
    bool first_byte_sent = false;
    bool connection_reused = false;
};

// What sends a request. On one loop.
class Transport {
public:
    virtual ~Transport() = default;

    // Never throws for what a receiver or the network does; runs on the transport's executor. When the
    // awaiting coroutine is cancelled the request is cut: boost::asio::error::operation_aborted.
    virtual boost::asio::awaitable<Result> post(Request request) = 0;

    // For every request of that group: not yet at its first byte: ends as not_started; last byte handed to
    // the kernel: goes on and gets its answer; in between: cut, ends as aborted. After the call no byte of a
    // request of that group is sent any more. Where it can't be told that the last byte was handed over (an
    // empty body; HTTP/2, whose frames wait in libcurl for the receiver's window), a request without any byte
    // of an answer counts as in between.
    virtual void close(std::uint64_t group) = 0;
};

// POSTs on one loop: libcurl's multi interface driven by Asio, one instance a thread. Names are resolved by
// c-ares, without blocking the loop (and /etc/hosts is honoured); every address is vetted by the guard and
// pinned, and again when the socket opens and when a connection is reused. No redirect, no proxy, no
// Accept-Encoding, no Expect, no Transfer-Encoding but chunked, TLS 1.2+.
//
// A kept-alive connection that the receiver closes in the very moment of its reuse, before any byte of an
// answer: the request is sent a second time, once, on another connection (may_start is asked again). The
// receiver may then have seen it twice, with the same bytes; not sending it again would only leave that to
// the next attempt.
class Client final : public Transport {
public:
    Client(boost::asio::any_io_executor executor, ClientOptions options,
           std::shared_ptr<const AddressGuard> guard);
    ~Client() override;  // requests under way must have ended

    boost::asio::awaitable<Result> post(Request request) override;
    void close(std::uint64_t group) override;

    std::size_t in_flight() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace posthorn::egress
