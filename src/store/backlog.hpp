#pragma once
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <vector>

#include "store/connection.hpp"

namespace posthorn::store {

// Notes which endpoints of these shards have `threshold` or more due deliveries waiting (operational webhook
// backlog.threshold), and which had and have less than half of that left.
boost::asio::awaitable<void> watch_backlogs(Pool& pool, std::vector<std::int16_t> shards,
                                            std::int64_t threshold);

}  // namespace posthorn::store
