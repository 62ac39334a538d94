#pragma once
#include <boost/asio/awaitable.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/id.hpp"
#include "store/connection.hpp"

namespace posthorn::store {

// Tells the shards' owners, who LISTEN on the channel posthorn_shard, that these endpoints have something
// due. Only a wake-up: what gets lost is found by their next full scan. A statement of its own, after the
// commit of what it tells of: a transaction that notifies takes a lock that every other one that does waits
// for.
boost::asio::awaitable<void> notify_shards(Connection& connection,
                                           std::vector<std::pair<int, EndpointId>> endpoints);

// The payloads: "<shard>:<endpoint as 32 hex digits>" or "<shard>:*", separated by commas, each at most 7,000
// bytes (PostgreSQL takes 7,999). Each endpoint is named once; a shard with more than 100 of them is named as
// a whole.
std::vector<std::string> wake_up_payloads(std::vector<std::pair<int, EndpointId>> endpoints);

}  // namespace posthorn::store
