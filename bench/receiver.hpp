#pragma once
#include <atomic>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "bench/certificates.hpp"
#include "bench/event.hpp"
#include "bench/http2_session.hpp"
#include "bench/http_frame.hpp"
#include "bench/ledger.hpp"
#include "bench/sockets.hpp"

namespace posthorn::bench {

inline constexpr std::uint32_t most_endpoints = 60'000;
inline constexpr std::chrono::seconds slow_answer{5};

// How a subscriber answers. What it fails is not entered into the ledger.
enum class Manner : std::uint8_t { prompt, slow, failing };

// All subscribers in one: a thread that answers every POST with 200 and enters its arrival into the ledger.
// Each endpoint has a loopback address of its own, as subscribers are on hosts of their own: the service can
// not share their connections.
class Receiver {
public:
    struct Counts {
        std::atomic<std::uint64_t> requests{0};
        std::atomic<std::uint64_t> over_http2{0};    // of the requests
        std::atomic<std::uint64_t> failed{0};        // that were answered 500, as they were to be
        std::atomic<std::uint64_t> foreign{0};       // payloads that are not byte for byte one of ours
        std::atomic<std::uint64_t> misdelivered{0};  // at an endpoint that is none of its message's
        std::atomic<std::uint64_t> signatures{0};    // that were checked
        std::atomic<std::uint64_t> forged{0};        // that were wrong
    };

    static constexpr std::uint32_t first_host = 0x10000;  // endpoint 0 is at 127.1.0.1

    // The ledger and the certificates (none: without TLS) outlive this object.
    Receiver(Ledger& ledger, std::size_t payload_bytes, std::uint32_t endpoints,
             const Certificates* certificates = nullptr);
    ~Receiver();
    Receiver(const Receiver&) = delete;
    Receiver& operator=(const Receiver&) = delete;

    std::uint16_t port() const { return port_; }
    std::string url_of(std::uint32_t endpoint) const;
    // A port that nobody listens on: connections to it are refused.
    std::string refusing_url_of(std::uint32_t endpoint) const;
    static std::string path_of(std::uint32_t endpoint);
    void behave(std::uint32_t endpoint, Manner manner) { manners_[endpoint] = manner; }
    // Before anything arrives: the endpoints' keys (whsec_...), by which one request of `every` is checked.
    void check_signatures(std::vector<std::string> keys, std::uint64_t every);

    const Counts& counts() const { return counts_; }
    void rethrow_failure() const;  // what ended its thread, if anything did

private:
    struct Connection {
        Stream stream;
        std::unique_ptr<Http2Session> http2 = nullptr;
    };
    struct LateAnswer {
        std::int64_t due_ns;
        std::uint64_t connection;
    };

    void run();
    int poll_limit_ms() const;
    void accept_all();
    TlsSession tls_for(const Descriptor& socket) const;
    void read(std::uint64_t tag);
    void read_http2(Connection& connection, std::string_view bytes);
    static void answer(Stream& stream, std::string_view text);
    void send_late_answers();
    Manner take(const HttpFrame& request, std::int64_t now);
    void check_signature(const HttpFrame& request, std::uint32_t endpoint);

    Ledger& ledger_;
    Event event_;
    const Certificates* certificates_;
    std::vector<std::atomic<Manner>> manners_;
    std::vector<std::string> keys_;
    std::uint64_t check_every_ = 0;  // 0: none
    Counts counts_;

    Descriptor listener_, refusing_;
    std::uint16_t port_ = 0, refusing_port_ = 0;
    Poller poller_;
    std::unordered_map<std::uint64_t, Connection> connections_;
    std::uint64_t next_tag_ = 1;           // 0 is the listener
    std::deque<LateAnswer> late_answers_;  // all equally late: in order

    std::atomic<bool> stopping_{false};
    std::atomic<bool> failed_{false};
    std::exception_ptr failure_;  // once failed_
    std::thread thread_;
};

}  // namespace posthorn::bench
