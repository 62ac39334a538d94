#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace posthorn::http {

enum class PortSharing { exclusive, shared };

// A listening socket that does not block. Throws boost::system::system_error, its message with the address.
boost::asio::ip::tcp::acceptor open_listener(const boost::asio::any_io_executor& executor,
                                             const boost::asio::ip::tcp::endpoint& endpoint,
                                             PortSharing sharing);

}  // namespace posthorn::http
