#pragma once
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.hpp"
#include "store/connection.hpp"
#include "store/id_range.hpp"

namespace posthorn::store {

// How it stands with a message at an endpoint; the compatible API's numbers.
enum class MessageStatus : std::int16_t {
    success = 0,
    pending = 1,  // waits for a retry
    fail = 2,
    sending = 3,  // the first attempt has not ended yet
};
std::string_view to_string(MessageStatus status);

struct MessageRow {
    MessageId id;
    std::string event_type;
    std::optional<std::vector<std::string>> channels;
    std::optional<std::string> event_id;
    bool expunged = false;
    std::optional<std::string> payload;  // as sent; nothing if expunged or not asked for
    std::optional<std::vector<std::string>> tags;
    std::optional<SystemTime> deliver_at;
    bool raw = false;  // the payload is any text
};

struct MessageFilter {
    std::optional<std::vector<std::string>> event_types;
    std::optional<std::string> channel, tag;

    bool any() const { return event_types || channel || tag; }
};

boost::asio::awaitable<Listing<MessageRow>> list_messages(Pool& pool, ApplicationId application,
                                                          IdRange range, MessageFilter filter,
                                                          bool with_payload);
// By id, or by the eventId that was given to it (the newest of that eventId).
boost::asio::awaitable<std::optional<MessageRow>> find_message(Pool& pool, ApplicationId application,
                                                               std::string id_or_event_id, bool with_payload);
// Whether any endpoint would get a message of this type and these channels; filters of payloads aside.
boost::asio::awaitable<bool> has_subscriber(Pool& pool, ApplicationId application, std::string event_type,
                                            std::vector<std::string> channels);
// One that is not fanned out: whoever stores it says where it goes (resend_message).
boost::asio::awaitable<void> insert_unsent_message(Connection& connection, ApplicationId application,
                                                   MessageId id, std::string event_type, std::string payload);
// The payload is gone for good. Nothing happens to one that is gone already.
boost::asio::awaitable<void> expunge_message(Connection& connection, ApplicationId application, MessageId id);

struct DeliveryState {
    MessageStatus status = MessageStatus::sending;
    std::optional<SystemTime> next_attempt;  // of a pending one
};

struct AttemptedMessageRow {
    MessageRow message;
    DeliveryState state;
};
// The messages that were or will be sent to an endpoint.
boost::asio::awaitable<Listing<AttemptedMessageRow>> list_attempted_messages(
    Pool& pool, ApplicationId application, EndpointId endpoint, IdRange range, MessageFilter filter,
    std::optional<MessageStatus> status, bool with_payload);

struct AttemptedDestinationRow {
    EndpointId id;
    std::optional<std::string> uid;
    std::string url;
    std::string description;
    std::optional<std::vector<std::string>> event_types, channels;
    bool disabled = false;
    std::optional<std::int32_t> rate_limit;  // a second
    SystemTime created_at{}, updated_at{};
    DeliveryState state;
};
// The endpoints that a message was or will be sent to, deleted ones that were attempted among them.
boost::asio::awaitable<std::vector<AttemptedDestinationRow>> list_attempted_destinations(
    Pool& pool, ApplicationId application, MessageId message, Scan scan);

// An endpoint's messages of a time, each counted by the state it is in now.
struct EndpointStats {
    std::int64_t success = 0, pending = 0, fail = 0, sending = 0;
};
boost::asio::awaitable<EndpointStats> endpoint_stats(Pool& pool, ApplicationId application,
                                                     EndpointId endpoint, SystemTime since, SystemTime until);

}  // namespace posthorn::store
