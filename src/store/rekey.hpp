#pragma once
#include <boost/asio/awaitable.hpp>
#include <cstdint>

#include "base/uuid.hpp"
#include "domain/secret_box.hpp"
#include "store/connection.hpp"

namespace posthorn::store {

inline constexpr std::int64_t rekey_batch_rows = 500;

enum class SealedKind : std::uint8_t { endpoint_secrets, endpoint_headers };

struct RekeyBatch {
    Uuid last{};                 // the next batch begins after it
    std::int64_t sealed = 0;     // under the new key, by this batch
    std::int64_t unchanged = 0;  // were under the new key already
    bool done = false;           // there are no rows after `last`
};

// False if another re-keying is under way. Held until the connection ends.
boost::asio::awaitable<bool> try_lock_rekey(Connection& connection);

// One batch of what follows `after`, in a transaction of its own. What is under the new key already is left
// alone, so that an interrupted run is repeated from the start. Throws std::runtime_error, the batch undone,
// for a value that opens under neither key.
boost::asio::awaitable<RekeyBatch> rekey_batch(Connection& connection, SealedKind kind,
                                               const domain::SecretBox& old_box,
                                               const domain::SecretBox& new_box, Uuid after);

}  // namespace posthorn::store
