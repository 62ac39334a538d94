#pragma once
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "http/server.hpp"

namespace posthorn::cli {

inline constexpr std::size_t longest_webhook_bytes = 16 * 1024 * 1024;

// What a subscriber's server needs: the handler gets every GET and POST, whatever the path (up to 8
// segments).
std::shared_ptr<const http::Router> make_webhook_router(http::Handler handler);

// A subscriber on loopback, in a thread of its own, on which the handler is called. Requests unanswered at
// the end are cut.
class WebhookReceiver {
public:
    // Throws boost::system::system_error if the port is taken; 0 takes a free one.
    explicit WebhookReceiver(http::Handler handler, std::uint16_t port = 0);
    ~WebhookReceiver();
    WebhookReceiver(const WebhookReceiver&) = delete;
    WebhookReceiver& operator=(const WebhookReceiver&) = delete;

    std::uint16_t port() const { return port_; }
    std::string url(std::string_view path = "/") const;  // "http://127.0.0.1:49152/"
    boost::asio::io_context& loop() { return loop_; }

private:
    boost::asio::io_context loop_{1};
    http::Server server_;
    std::uint16_t port_ = 0;
    std::thread thread_;
};

}  // namespace posthorn::cli
