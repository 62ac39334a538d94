#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>

// Every limit of a submitted message. What the compatible API's schema names is kept. The body's size is the
// HTTP server's limit.
namespace posthorn::ingest::limits {

inline constexpr int payload_depth = 64;  // nested objects and arrays; the payload itself is the first
inline constexpr std::size_t event_type_characters = 256;
inline constexpr std::size_t event_id_characters = 256;
inline constexpr std::size_t channel_characters = 128;
inline constexpr std::size_t channels_per_message = 5;
inline constexpr std::size_t idempotency_key_characters = 256;
inline constexpr std::int64_t shortest_retention_days = 5;
inline constexpr std::int64_t longest_retention_days = 90;
inline constexpr std::size_t tags_per_message = 8;
inline constexpr std::size_t tag_characters = 128;
inline constexpr std::size_t headers_per_message = 20;
inline constexpr std::size_t header_name_bytes = 128;
inline constexpr std::size_t header_value_bytes = 4096;
inline constexpr std::chrono::hours longest_delay{30 * 24};  // from submission to deliverAt
inline constexpr std::size_t messages_per_batch = 500;
inline constexpr std::size_t application_uid_characters = 256;
inline constexpr std::size_t enforced_schemas = 1'000;  // in memory; beyond, all are loaded anew
inline constexpr std::size_t enforced_schemas_bytes = 64 * 1024 * 1024;  // likewise
inline constexpr int schema_rounds =
    3;  // a message is held to a schema, and again if that has changed meanwhile

}  // namespace posthorn::ingest::limits
