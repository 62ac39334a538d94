#pragma once
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/id.hpp"
#include "fault/event.hpp"
#include "http/server.hpp"

namespace posthorn::fault {

struct Arrival {
    SteadyTime at;
    Uuid message;
    std::uint32_t number = 0;
    std::uint8_t endpoint = 0;
    bool right_signature = false;
    bool right_bytes = false;
    bool taken = false;  // answered 200
};

// The subscribers, all on one port: endpoint i is at /i. Keeps a line of each request, not its body. Safe to
// use from any thread.
class ReceiverLog {
public:
    explicit ReceiverLog(std::uint64_t seed);
    ~ReceiverLog();
    ReceiverLog(const ReceiverLog&) = delete;
    ReceiverLog& operator=(const ReceiverLog&) = delete;

    std::uint16_t port() const { return port_; }
    void set_secret(std::size_t endpoint, std::string secret);
    void refuse_at_dead(bool refusing) { dead_refuses_ = refusing; }
    std::vector<Arrival> arrivals() const;
    std::size_t strangers() const;  // requests that are no webhook of this run

private:
    boost::asio::awaitable<http::Response> answer(http::Request& request);
    int status_for(const Arrival& arrival);
    bool is_signed(std::size_t endpoint, const http::Request& request) const;

    const std::uint64_t seed_;
    boost::asio::io_context loop_{1};
    std::unique_ptr<http::Server> server_;
    std::uint16_t port_ = 0;
    std::atomic<bool> dead_refuses_{false};
    mutable std::mutex mutex_;
    std::map<std::size_t, std::string> secrets_;
    std::vector<Arrival> arrivals_;
    std::map<std::uint32_t, int> refused_;  // by the flaky one, while it goes on
    std::size_t strangers_ = 0;
    std::thread thread_;
};

}  // namespace posthorn::fault
