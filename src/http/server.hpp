#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "http/router.hpp"

namespace posthorn::http {

struct ServerOptions {
    boost::asio::ip::tcp::endpoint listen{};
    std::size_t body_limit_bytes = std::size_t{1024} * 1024;  // beyond: 413, and the connection ends
    std::size_t header_limit_bytes = std::size_t{16} * 1024;  // beyond: 431
    // A loop. Beyond, the longest idle are closed; where none is idle, the new one is, at once, with 503.
    std::size_t connection_limit = 10'000;
    // A loop, of all bodies that have not yet arrived whole. Beyond, the largest of them are refused with
    // 503. Looked at four times a second: it may be exceeded by what arrives meanwhile.
    std::size_t unfinished_bodies_limit_bytes = std::size_t{64} * 1024 * 1024;
    std::chrono::milliseconds header_timeout{10'000};  // from a request's first byte to its header's end
    std::chrono::milliseconds body_timeout{30'000};
    std::chrono::milliseconds idle_timeout{75'000};  // between requests
    std::chrono::milliseconds write_timeout{30'000};
    bool access_log = true;
    bool reuse_port = false;  // SO_REUSEPORT: for the loops of one process that share a port
};

// Throws boost::system::system_error (address_in_use) if another socket listens there. With reuse_port a
// second service would share the port silently: ask once a process, before its first open().
void ensure_port_is_free(const boost::asio::ip::tcp::endpoint& endpoint);

// One HTTP/1.1 server on one loop: keep-alive, pipelining (answers in order), many of them share a port by
// SO_REUSEPORT. Everything of it runs on the executor that calls run(). Request smuggling shapes (both
// lengths, repeated different lengths, chunked not last, bare CR or LF in a header, obs-fold) are answered
// 400 and the connection ends.
class Server {
public:
    Server(ServerOptions options, std::shared_ptr<const Router> router);
    ~Server();

    // Opens the socket (so that errors are seen before run, and port 0 can be asked for its number).
    // Throws boost::system::system_error.
    void open(boost::asio::any_io_executor executor);
    boost::asio::ip::tcp::endpoint local_endpoint() const;

    // Serves until stop() and every connection has ended. Answers to requests already read are still sent,
    // with Connection: close; idle connections are closed at once; what is not done by `grace` is cut.
    boost::asio::awaitable<void> run();
    void stop(std::chrono::milliseconds grace);  // from the server's own executor

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace posthorn::http
