#pragma once
#include <optional>
#include <variant>

#include "base/id.hpp"
#include "store/accept.hpp"

namespace posthorn::ingest {

// The message is stored with its deliveries: by this submission, or by an earlier one under the same key with
// the same body.
struct Accepted {
    MessageId id;
    auto operator<=>(const Accepted&) const = default;
};

enum class Refusal {
    unknown_application,
    idempotency_key_reused,  // by an earlier submission with another body
    event_id_taken,          // likewise
    keys_disagree,           // idempotency key and event id belong to two earlier messages
    schema_changed,          // another schema is enforced than it was held to; nothing is stored
    queue_full,              // nothing is stored
    not_stored,              // the database was away for too long; nothing is stored
    not_storable,            // the database refuses this very message; nothing is stored
    unknown,                 // the database was lost in the middle: it may be stored, or still become so
};

using Answer = std::variant<Accepted, Refusal>;

// What becomes of a message that lost its keys to these holders; nothing if nobody holds them any more: it
// may try again.
std::optional<Answer> judge(const store::NewMessage& message, const store::KeyHolders& holders);

}  // namespace posthorn::ingest
