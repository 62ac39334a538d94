#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "domain/message_extras.hpp"

namespace posthorn::ingest {

using Location = std::vector<std::string>;

// What a client submitted, checked.
struct DecodedMessage {
    std::string event_type;
    std::vector<std::string> channels;  // none: empty
    std::optional<std::string> event_id;
    std::optional<std::string> idempotency_key;
    std::string payload;  // a JSON object, byte for byte as submitted (I12); or any text, if extras.raw
    std::string
        body_hash;  // SHA-256 of the whole body where there is a key or an event id to compare by, else empty
    std::vector<std::string> tags;
    domain::MessageExtras extras;
    std::string application;  // a JSON object: creates the path's application where there is none; or empty
};

// idempotency_key: the header's value, nullptr if there is none. now: what deliverAt is measured by. at:
// where the body stands, for problems. Headers and a raw payload come as the members `headers` and
// `rawPayload`, or as those of `transformationsParams`, as the compatible API's clients send them. The
// member `payloadRetentionPeriod` is allowed and has no effect; unknown members are ignored. Throws
// http::ValidationProblem with everything that is wrong.
DecodedMessage decode_message(std::string_view body, const std::string* idempotency_key, SystemTime now,
                              const Location& at = {"body"});

// The messages of {"messages": [...]}, each as decode_message wants it, and where it stands. Throws
// http::ValidationProblem.
struct BatchItem {
    std::string_view body;  // part of the batch's
    Location at;
};
std::vector<BatchItem> split_batch(std::string_view body);

}  // namespace posthorn::ingest
