#include "ingest/answer.hpp"

namespace posthorn::ingest {

std::optional<Answer> judge(const store::NewMessage& message, const store::KeyHolders& holders) {
    const auto& [by_key, by_event_id] = holders;
    if (by_key && by_event_id && by_key->message != by_event_id->message) return Refusal::keys_disagree;
    const auto& holder = by_key ? by_key : by_event_id;
    if (!holder) return std::nullopt;
    if (holder->body_hash == message.body_hash) return Accepted{holder->message};
    return by_key ? Refusal::idempotency_key_reused : Refusal::event_id_taken;
}

}  // namespace posthorn::ingest
