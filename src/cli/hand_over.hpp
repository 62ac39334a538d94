#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <set>
#include <vector>

#include "async/event.hpp"
#include "ingest/hand_off.hpp"
#include "store/worker_session.hpp"
#include "workers/shard_map.hpp"
#include "workers/worker_loop.hpp"

namespace posthorn::cli {

// From ingest to the workers: a committed batch goes to the loops of this process that own its shards,
// payload in hand; for the shards owned elsewhere it is followed by a NOTIFY of its own. Called on ingest's
// executor.
class HandOver final : public ingest::HandOff {
public:
    HandOver(boost::asio::any_io_executor executor, store::WorkerDatabase& database,
             std::vector<workers::WorkerLoop*> loops, const workers::ShardMap& map);

    void announce(std::uint64_t batch, std::span<const MessageId> messages) override;
    void committed(std::uint64_t batch, std::vector<ingest::HandedDelivery> deliveries) override;
    void failed(std::uint64_t batch, bool unknown) override;

    // Sends the notifications, until cancelled.
    boost::asio::awaitable<void> run();

private:
    void notify(std::vector<std::pair<int, EndpointId>> targets);

    boost::asio::any_io_executor executor_;
    store::WorkerDatabase& database_;
    std::vector<workers::WorkerLoop*> loops_;
    const workers::ShardMap& map_;
    std::set<std::pair<int, EndpointId>> foreign_;
    Event foreign_event_;
};

}  // namespace posthorn::cli
