#pragma once
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace posthorn::egress::test {

// A DNS server on loopback for IPv4 addresses; what is too long for UDP is had by TCP. It says NXDOMAIN for a
// name that it doesn't know and nothing at all for a name that is set silent.
class NameServer {
public:
    NameServer();
    ~NameServer();
    NameServer(const NameServer&) = delete;
    NameServer& operator=(const NameServer&) = delete;

    std::vector<std::string> as_option() const { return {"127.0.0.1:" + std::to_string(port_)}; }
    void set(const std::string& name, std::vector<std::string> addresses,
             std::uint32_t time_to_live_seconds = 60);
    void set_silent(const std::string& name);
    void set_failing(const std::string& name);  // SERVFAIL
    void forget(const std::string& name);       // NXDOMAIN
    int queries() const { return queries_; }    // for IPv4 addresses

private:
    enum class Kind : std::uint8_t { known, silent, failing };
    struct Entry {
        Kind kind = Kind::known;
        std::vector<std::string> addresses;
        std::uint32_t time_to_live = 60;
    };
    bool bind_both();
    void serve();
    void serve_by_tcp();
    std::string answer_to(const std::string& query, std::size_t longest_bytes);

    int socket_ = -1;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::atomic<int> queries_ = 0;
    std::mutex mutex_;
    std::map<std::string, Entry> entries_;
    std::thread thread_, tcp_thread_;
};

}  // namespace posthorn::egress::test
