#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace posthorn::ingest {

// What a client submitted, checked.
struct DecodedMessage {
    std::string event_type;
    std::vector<std::string> channels;  // none: empty
    std::optional<std::string> event_id;
    std::optional<std::string> idempotency_key;
    std::string payload;  // a JSON object, byte for byte as submitted (I12)
    std::string
        body_hash;  // SHA-256 of the whole body where there is a key or an event id to compare by, else empty
};

// idempotency_key: the header's value, nullptr if there is none. The members `application` and
// `payloadRetentionPeriod` are allowed and have no effect; unknown members are ignored. Throws
// http::ValidationProblem with everything that is wrong.
DecodedMessage decode_message(std::string_view body, const std::string* idempotency_key);

}  // namespace posthorn::ingest
