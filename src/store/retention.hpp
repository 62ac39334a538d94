#pragma once
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/connection.hpp"

namespace posthorn::store {

// Partitions are made this far ahead of and behind the database's clock.
inline constexpr std::chrono::weeks partitions_ahead{4};
inline constexpr std::chrono::weeks partitions_behind{2};

// Makes the weekly partitions of message and attempt around now. Cheap where they exist; before serving, for
// an id without a partition can not be stored.
boost::asio::awaitable<void> ensure_partitions(Connection& connection);

struct RetentionReport {
    std::vector<std::string> dropped;  // partitions
    std::vector<std::string>
        kept;  // old enough, but with a message that is still live or a dead letter, or locked
    std::int64_t dead_letters = 0;  // deleted, as are these
    std::int64_t idempotency_keys = 0;
    std::int64_t replay_jobs = 0;
};

// Once through everything: partitions ahead; what is older than `retention` (dead letters by their end,
// messages and attempts by week); expired idempotency keys; the traces of processes, endpoint changes and
// replays long gone. Nothing if another process is at it. A partition that is in use for longer than 2 s is
// kept until the next time.
boost::asio::awaitable<std::optional<RetentionReport>> apply_retention(Connection& connection,
                                                                       std::chrono::seconds retention);

}  // namespace posthorn::store
