#pragma once
#include <boost/asio/awaitable.hpp>
#include <vector>

#include "base/id.hpp"
#include "store/connection.hpp"

namespace posthorn::store {

// Invariant I6. Whatever changes an endpoint (update, disable, delete, secret, headers, or its application)
// calls record_endpoint_changes in the same transaction; it raises the endpoints' versions and notifies the
// owners at commit.
boost::asio::awaitable<void> record_endpoint_changes(Connection& connection,
                                                     std::vector<EndpointId> endpoints);

// After the commit, before a change is answered, so that what is sent from then on follows it: for a disable
// or delete that is invariant I6, for a new secret, URL or header what everybody expects. Returns when every
// current (owner, epoch) of the endpoints' shards has acknowledged the change, has no owner, or its owner's
// counter stood still for longer than a lease on our own monotonic clock. Takes a round trip or two with
// healthy owners, never more than about 6 s.
boost::asio::awaitable<void> await_acknowledged(Pool& pool, std::vector<EndpointId> endpoints);

}  // namespace posthorn::store
