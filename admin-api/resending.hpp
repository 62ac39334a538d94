#pragma once
#include <boost/asio/awaitable.hpp>
#include <functional>

#include "admin-api/context.hpp"
#include "base/id.hpp"
#include "store/connection.hpp"

namespace posthorn::admin {

http::Problem endpoint_disabled();  // 409

// Sends a stored message to one endpoint: `prepare` names it, or stores it first, in the same transaction.
// Throws Problem 404, or 409 where the endpoint is disabled or the payload was expunged.
boost::asio::awaitable<void> resend(
    Context& context, ApplicationId application, EndpointId endpoint,
    std::function<boost::asio::awaitable<MessageId>(store::Connection&)> prepare);

}  // namespace posthorn::admin
