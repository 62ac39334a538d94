#pragma once
#include <atomic>
#include <cstdint>
#include <exception>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "bench/event.hpp"
#include "bench/http_frame.hpp"
#include "bench/ledger.hpp"
#include "bench/sockets.hpp"

namespace posthorn::bench {

inline constexpr std::uint32_t most_endpoints = 60'000;

// All subscribers in one: a thread that answers every POST with 200 and enters its arrival into the ledger.
// Each endpoint has a loopback address of its own, as subscribers are on hosts of their own: the service can
// not share their connections.
class Receiver {
public:
    struct Counts {
        std::atomic<std::uint64_t> requests{0};
        std::atomic<std::uint64_t> foreign{0};       // payloads that are not byte for byte one of ours
        std::atomic<std::uint64_t> misdelivered{0};  // at another endpoint than its message's
        std::atomic<std::uint64_t> signatures{0};    // that were checked
        std::atomic<std::uint64_t> forged{0};        // that were wrong
    };

    // Message n is for endpoint n % endpoints. The ledger outlives this object.
    Receiver(Ledger& ledger, std::size_t payload_bytes, std::uint32_t endpoints);
    ~Receiver();
    Receiver(const Receiver&) = delete;
    Receiver& operator=(const Receiver&) = delete;

    std::uint16_t port() const { return port_; }
    std::string url_of(std::uint32_t endpoint) const;
    static std::string path_of(std::uint32_t endpoint);
    // Before anything arrives: the endpoints' keys (whsec_...), by which one request of `every` is checked.
    void check_signatures(std::vector<std::string> keys, std::uint64_t every);

    const Counts& counts() const { return counts_; }
    void rethrow_failure() const;  // what ended its thread, if anything did

private:
    void run();
    void accept_all();
    void read(std::uint64_t tag);
    void take(const HttpFrame& request, std::int64_t now);
    void check_signature(const HttpFrame& request, std::uint32_t endpoint);

    Ledger& ledger_;
    Event event_;
    std::uint32_t endpoints_;
    std::vector<std::string> keys_;
    std::uint64_t check_every_ = 0;  // 0: none
    Counts counts_;

    Descriptor listener_;
    std::uint16_t port_ = 0;
    Poller poller_;
    std::unordered_map<std::uint64_t, Stream> streams_;
    std::uint64_t next_tag_ = 1;  // 0 is the listener

    std::atomic<bool> stopping_{false};
    std::atomic<bool> failed_{false};
    std::exception_ptr failure_;  // once failed_
    std::thread thread_;
};

}  // namespace posthorn::bench
