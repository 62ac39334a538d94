#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/secret.hpp"

namespace posthorn::config {

enum class Role : std::uint8_t { ingest, admin, worker };
enum class LogLevel : std::uint8_t { trace, debug, info, warn, error };
enum class LogFormat : std::uint8_t { text, json };

struct ListenAddress {
    std::string host;  // an IPv4 or IPv6 literal, without brackets
    std::uint16_t port = 0;
};

// Every setting with its type; meaning, default and range of each are in the table of settings_table.cpp.
// Filled by resolve().
struct Settings {
    ListenAddress listen;
    Secret database_url;             // empty: embedded PostgreSQL in data_dir
    std::filesystem::path data_dir;  // as given, perhaps relative
    std::set<Role> roles;
    Secret jwt_secret;  // empty: not given (see cli/generated_secrets.hpp)
    Secret master_key;  // 32 bytes, decoded; empty: not given
    std::vector<Secret> other_master_keys;
    std::vector<std::chrono::milliseconds> retry_schedule;
    std::vector<std::string> allow_networks;  // CIDRs as given; domain::parse_networks judges them
    std::chrono::milliseconds request_timeout{0};
    std::chrono::milliseconds retention{0};
    std::chrono::milliseconds max_delivery_age{0};
    std::chrono::milliseconds disable_endpoint_after{0};  // 0: never
    std::size_t backlog_threshold = 0;                    // deliveries
    std::chrono::milliseconds idempotency_ttl{0};
    std::chrono::milliseconds shutdown_grace{0};
    std::size_t http_threads = 0;    // 1 or more
    std::size_t worker_threads = 0;  // 1 or more
    std::size_t endpoint_concurrency = 0;
    std::size_t worker_concurrency = 0;
    std::size_t ingest_queue_limit = 0;
    bool svix_headers = false;
    std::filesystem::path ca_file;
    std::vector<std::string> name_servers;  // "127.0.0.1:5353"; empty: the system's
    LogLevel log_level = LogLevel::info;
    LogFormat log_format = LogFormat::text;
    bool access_log = false;

    bool embedded() const { return database_url.empty(); }
    bool has_role(Role role) const { return roles.contains(role); }
};

}  // namespace posthorn::config
