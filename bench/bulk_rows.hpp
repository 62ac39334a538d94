#pragma once
#include <cstdint>
#include <string>

#include "bench/database.hpp"

namespace posthorn::bench {

// What would take the service long to gather, written by SQL. All of it may be interrupted (Interrupted).

// So many messages that were delivered, with an attempt each, of the last day, shared out among all
// endpoints; on two connections at once. Then everything is vacuumed, analyzed and checkpointed, as it would
// be in time.
void store_history(const Database& database, std::int64_t messages, std::size_t payload_bytes);

// Messages first_number to first_number + count - 1, each with a delivery to this endpoint that is due since
// it was written.
void store_backlog(const Database& database, const std::string& endpoint_url, std::uint64_t first_number,
                   std::int64_t count, std::size_t payload_bytes);

}  // namespace posthorn::bench
