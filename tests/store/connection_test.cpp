#include "store/connection.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "support/catch.hpp"

using namespace posthorn;
namespace asio = boost::asio;

namespace {

std::optional<int> option_of_socket_to(std::uint16_t port, int option) {
    for (int descriptor = 3; descriptor < 1024; ++descriptor) {
        sockaddr_in peer{};
        socklen_t size = sizeof peer;
        if (getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) != 0) continue;
        if (peer.sin_family != AF_INET || peer.sin_port != htons(port)) continue;
        int value = -1;
        socklen_t length = sizeof value;
        if (getsockopt(descriptor, IPPROTO_TCP, option, &value, &length) == 0) return value;
    }
    return std::nullopt;
}

// What is set on the connection while it waits for a server that says nothing.
std::pair<std::optional<int>, std::optional<int>> user_timeout_and_idle_time(const std::string& settings) {
    asio::io_context io;
    asio::ip::tcp::acceptor silent(io, {asio::ip::address_v4::loopback(), 0});
    const auto port = silent.local_endpoint().port();
    store::ConnectOptions options;
    options.conninfo =
        fmt::format("host=127.0.0.1 port={} dbname=any user=any sslmode=disable {}", port, settings);
    options.connect_timeout = std::chrono::milliseconds(300);
    std::exception_ptr failure;
    bool ended = false;
    asio::co_spawn(io, store::Connection::open(io.get_executor(), options),
                   [&](std::exception_ptr why, const std::unique_ptr<store::Connection>&) {
                       failure = std::move(why);
                       ended = true;
                   });
    std::pair<std::optional<int>, std::optional<int>> found;
    while (!ended && io.run_one() > 0)
        if (!ended)
            found = {option_of_socket_to(port, TCP_USER_TIMEOUT), option_of_socket_to(port, TCP_KEEPIDLE)};
    CHECK(failure);
    return found;
}

}  // namespace

TEST_CASE("a way to the database that is cut without a word is noticed within seconds") {
    CHECK(user_timeout_and_idle_time("") == std::pair(std::optional(5'000), std::optional(3)));
}

TEST_CASE("what the given conninfo says of the way to the database wins") {
    CHECK(user_timeout_and_idle_time("tcp_user_timeout=1234 keepalives_idle=77") ==
          std::pair(std::optional(1234), std::optional(77)));
}
