#include "http/listener.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/system/system_error.hpp>
#include <cerrno>
#include <fmt/format.h>
#include <sys/socket.h>

#include "http/server.hpp"

namespace posthorn::http {
namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

void throw_on_error(const error_code& error, const tcp::endpoint& endpoint) {
    if (!error) return;
    throw boost::system::system_error(
        error, fmt::format("cannot listen on {} port {}", endpoint.address().to_string(), endpoint.port()));
}

error_code share_port(tcp::acceptor& acceptor) {
    const int on = 1;
    if (::setsockopt(acceptor.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) return {};
    return {errno, boost::system::system_category()};
}

tcp::acceptor bound_socket(const asio::any_io_executor& executor, const tcp::endpoint& endpoint,
                           PortSharing sharing) {
    tcp::acceptor acceptor(executor);
    error_code error;
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
    if (!error && sharing == PortSharing::shared) error = share_port(acceptor);
    if (!error) acceptor.bind(endpoint, error);
    throw_on_error(error, endpoint);
    return acceptor;
}

}  // namespace

tcp::acceptor open_listener(const asio::any_io_executor& executor, const tcp::endpoint& endpoint,
                            PortSharing sharing) {
    auto acceptor = bound_socket(executor, endpoint, sharing);
    error_code error;
    acceptor.listen(asio::socket_base::max_listen_connections, error);
    throw_on_error(error, endpoint);
    return acceptor;
}

void ensure_port_is_free(const tcp::endpoint& endpoint) {
    // Linux binds beside a listening socket only if both ask to share: this one doesn't.
    asio::io_context context;
    bound_socket(context.get_executor(), endpoint, PortSharing::exclusive);
}

}  // namespace posthorn::http
