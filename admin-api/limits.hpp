#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>

// Every limit of the admin API. What the compatible API's schema names is kept; the others bound what one
// client can make us store. Characters are Unicode code points.
namespace posthorn::admin::limits {

inline constexpr std::size_t body_depth = 32;  // nested JSON arrays and objects

inline constexpr std::size_t uid_characters = 256;
inline constexpr std::size_t name_characters = 1024;
inline constexpr std::size_t description_characters = 4096;
inline constexpr std::size_t event_type_characters = 256;
inline constexpr std::size_t channel_characters = 128;
inline constexpr std::size_t tag_characters = 128;
inline constexpr std::size_t feature_flag_characters = 256;
inline constexpr std::size_t url_characters = 4096;

inline constexpr std::size_t metadata_entries = 50;
inline constexpr std::size_t metadata_key_characters = 128;
inline constexpr std::size_t metadata_value_characters = 1024;

inline constexpr std::size_t event_types_per_endpoint = 512;
inline constexpr std::size_t channels_per_endpoint = 10;
inline constexpr std::size_t channels_per_message = 5;
inline constexpr std::size_t endpoints_per_bulk_change = 1'000;

inline constexpr std::size_t filter_bytes = 8 * 1024;
inline constexpr std::size_t retries_per_schedule = 30;
inline constexpr std::chrono::seconds longest_retry_delay{7 * 86'400};

inline constexpr std::size_t headers_per_endpoint = 40;
inline constexpr std::size_t header_name_bytes = 128;
inline constexpr std::size_t header_value_bytes = 4096;

inline constexpr std::int64_t lowest_rate_per_second = 1;
inline constexpr std::int64_t highest_rate_per_second = 65'535;

inline constexpr std::chrono::seconds default_grace_period{86'400};
inline constexpr std::chrono::seconds longest_grace_period{7 * 86'400};
inline constexpr std::size_t old_secrets_per_endpoint = 10;

inline constexpr std::size_t schemas_bytes = 256 * 1024;  // of one event type, as JSON
inline constexpr std::size_t schema_versions = 100;       // of one event type

inline constexpr std::size_t imported_yaml_values = 100'000;  // of a document, with what its aliases repeat

inline constexpr std::size_t scopes_per_api_key = 32;

inline constexpr std::int64_t page_items = 250;
inline constexpr std::int64_t default_page_items = 50;

}  // namespace posthorn::admin::limits
