#pragma once
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/id.hpp"
#include "domain/message_extras.hpp"
#include "store/connection.hpp"

namespace posthorn::store {

// An application as a path names it: by id or by uid.
using ApplicationReference = std::variant<ApplicationId, std::string>;

struct NewMessage {
    MessageId id;
    OrganizationId organization;
    ApplicationReference application;
    std::string event_type;
    std::vector<std::string> channels;
    std::optional<std::string> event_id;
    std::optional<std::string> idempotency_key;
    std::string body_hash;                       // what makes two submissions under one key the same
    std::shared_ptr<const std::string> payload;  // never null
    std::vector<std::string> tags;
    std::shared_ptr<const domain::MessageExtras> extras;  // null: none
    std::int64_t schema_revision = 0;                     // of the schema that it was held to; 0: of none
};

// Whether an earlier submission of it can be found.
inline bool has_key(const NewMessage& message) { return message.idempotency_key || message.event_id; }

enum class Acceptance : std::int16_t {
    unknown_application = 0,
    accepted = 1,
    key_taken = 2,        // another message holds its idempotency key or event id
    accepted_before = 3,  // by an earlier try with the same id; its deliveries are not among the result's
    schema_changed = 4,   // its event type enforces another schema than it was held to; it took no key
};

struct NewDelivery {
    ApplicationId application;
    EndpointId endpoint;
    MessageId message;
    int shard = 0;
    std::int64_t run_id = 0;
    bool from_table = false;  // the table says when it is its turn: ordered, or not due yet
    RowPlace place{};
};

struct AcceptedBatch {
    std::vector<Acceptance> messages;     // by their places in the batch
    std::vector<NewDelivery> deliveries;  // run ids ascend with the messages' ids
};

// SQLSTATE of accept_messages when a message won one of its two idempotency keys and lost the other: nothing
// of the batch is stored. Such a message is answered from find_key_holders.
inline constexpr std::string_view partial_win = "PH001";

// Stores messages and their deliveries in one statement and one commit. The ids ascend. A message whose id is
// stored already stays as it is, so a batch whose commit is in doubt can be sent again: then tried_before.
// Throws DatabaseError.
boost::asio::awaitable<AcceptedBatch> accept_messages(Connection& connection,
                                                      std::span<const NewMessage* const> messages,
                                                      std::chrono::milliseconds key_lifetime,
                                                      bool tried_before = false);

struct KeyHolder {
    MessageId message;
    std::string body_hash;
};
// Who holds a message's keys.
struct KeyHolders {
    std::optional<KeyHolder> idempotency_key, event_id;
};
// By the messages' places. Throws DatabaseError.
boost::asio::awaitable<std::vector<KeyHolders>> find_key_holders(Connection& connection,
                                                                 std::span<const NewMessage* const> messages);

}  // namespace posthorn::store
