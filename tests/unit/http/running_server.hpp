#pragma once
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <thread>

#include "http/server.hpp"
#include "support/test_client.hpp"

namespace posthorn::http::test {

// Holds handlers until the test opens it; to be touched on the server's loop only.
class Gate {
public:
    explicit Gate(boost::asio::io_context& context)
        : timer_(context, std::chrono::steady_clock::time_point::max()) {}
    boost::asio::awaitable<void> pass();
    void open();
    std::atomic<int> waiting = 0;    // handlers that have come to it
    std::atomic<int> cancelled = 0;  // handlers that were cancelled at it

private:
    boost::asio::steady_timer timer_;
    bool open_ = false;
};

// A server on a loop and thread of its own. Its routes:
//   GET /hello, POST /echo (answers the body), GET /app/{name}, GET /large (8 MiB), GET /throws,
//   POST /gated (answers the body once the gate is open)
class RunningServer {
public:
    explicit RunningServer(ServerOptions options = {});
    ~RunningServer();

    TestClient connect() const { return TestClient(port_); }
    std::uint16_t port() const { return port_; }
    Gate& gate() { return gate_; }
    void open_gate();
    void wait_for_waiting(int handlers) const;  // until so many are at the gate

    void stop(std::chrono::milliseconds grace);
    void cancel();  // as a parent coroutine would
    bool ends_within(std::chrono::milliseconds time);

private:
    std::shared_ptr<const Router> make_router();

    boost::asio::io_context context_;
    Gate gate_;
    Server server_;
    std::uint16_t port_ = 0;
    boost::asio::cancellation_signal cancellation_;
    std::atomic<bool> ended_ = false;
    std::exception_ptr failure_;
    std::thread thread_;
};

}  // namespace posthorn::http::test
