#include "cli/webhook_receiver.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/post.hpp>
#include <exception>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <utility>

namespace posthorn::cli {

namespace asio = boost::asio;

namespace {
constexpr int longest_path_segments = 8;

http::ServerOptions options_for(std::uint16_t port) {
    http::ServerOptions options;
    options.listen = {asio::ip::address_v4::loopback(), port};
    options.body_limit_bytes = longest_webhook_bytes;
    options.access_log = false;
    return options;
}

void report_failure(const std::exception_ptr& failure) {
    if (!failure) return;
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& error) {
        spdlog::error("the webhook receiver failed: {}", error.what());
    }
}
}  // namespace

std::shared_ptr<const http::Router> make_webhook_router(http::Handler handler) {
    auto router = std::make_shared<http::Router>();
    std::string pattern = "/";
    for (int segments = 0; segments <= longest_path_segments; ++segments) {
        if (segments > 0) pattern += fmt::format("{}{{segment{}}}", segments > 1 ? "/" : "", segments);
        router->add(http::Method::post, pattern, handler);
        router->add(http::Method::get, pattern, handler);
    }
    return router;
}

WebhookReceiver::WebhookReceiver(http::Handler handler, std::uint16_t port)
    : server_(options_for(port), make_webhook_router(std::move(handler))) {
    server_.open(loop_.get_executor());
    port_ = server_.local_endpoint().port();
    asio::co_spawn(loop_, server_.run(), report_failure);
    thread_ = std::thread([this] { loop_.run(); });
}

WebhookReceiver::~WebhookReceiver() {
    asio::post(loop_, [this] { server_.stop(std::chrono::milliseconds(0)); });
    thread_.join();
}

std::string WebhookReceiver::url(std::string_view path) const {
    return fmt::format("http://127.0.0.1:{}{}", port_, path);
}

}  // namespace posthorn::cli
