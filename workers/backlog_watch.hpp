#pragma once
#include <boost/asio/awaitable.hpp>
#include <cstdint>

#include "store/connection.hpp"
#include "workers/shard_map.hpp"

namespace posthorn::workers {

// Looks twice a minute how much waits for the endpoints of this process's shards.
class BacklogWatch {
public:
    // Pool and map outlive it; the pool is of the loop that runs it.
    BacklogWatch(store::Pool& pool, const ShardMap& shards, std::int64_t threshold)
        : pool_(pool), shards_(shards), threshold_(threshold) {}

    boost::asio::awaitable<void> run();  // until cancelled

private:
    boost::asio::awaitable<bool> look();  // whether there was anything to look at

    store::Pool& pool_;
    const ShardMap& shards_;
    std::int64_t threshold_;
};

}  // namespace posthorn::workers
