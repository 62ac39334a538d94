#include "config/settings_table.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "config/setting_values.hpp"

namespace posthorn::config {

namespace {
constexpr std::array table{
    Setting{"listen", &Settings::listen, "127.0.0.1:8071", "", "", "",
            "Address and port of the HTTP API; port 0 takes a free one.", ""},
    Setting{"database_url", &Settings::database_url, "", "", "", "",
            "PostgreSQL 14 or later: a postgres:// URL or key=value pairs, as libpq takes them. Without it "
            "posthorn runs a "
            "PostgreSQL of its own in the data directory.",
            "embedded PostgreSQL"},
    Setting{"data_dir", &Settings::data_dir, "./posthorn-data", "", "", "",
            "Directory of the embedded PostgreSQL and of the generated secrets; one service each.", ""},
    Setting{"roles", &Settings::roles, "all", "", "", "",
            "What this process does: it takes messages in, serves the admin API, delivers.", ""},
    Setting{"jwt_secret", &Settings::jwt_secret, "", "", "", "",
            "Key of the API tokens (HS256), at least 16 characters. Best given by the variable or the file: "
            "flags are visible to "
            "other users.",
            "generated into the data directory; required with database_url"},
    Setting{"master_key", &Settings::master_key, "", "", "", "",
            "Key that encrypts endpoint secrets and sensitive headers: 32 bytes in base64 or hex (openssl "
            "rand -base64 32). Without "
            "it they cannot be read any more: keep a copy.",
            "generated into the data directory; required with database_url"},
    Setting{
        "other_master_keys", &Settings::other_master_keys, "", "", "", "",
        "Keys that open what was sealed under them and seal nothing: the previous or the next master key, "
        "while it is changed (docs/master-key.md).",
        ""},
    Setting{"retry_schedule", &Settings::retry_schedule, "5s,5m,30m,2h,5h,10h,10h", "10ms", "30d", "",
            "Waiting times between attempts, after the first, immediate one. When they are used up the "
            "delivery is a dead letter.",
            ""},
    Setting{"request_timeout", &Settings::request_timeout, "15s", "1s", "60s", "",
            "Time for one attempt: name lookup, connect, TLS, headers and body together.", ""},
    Setting{"max_delivery_age", &Settings::max_delivery_age, "14d", "1h", "3649d", "",
            "A delivery that has not ended at this age is a dead letter. Below the retention.", ""},
    Setting{"retention", &Settings::retention, "90d", "5d", "3650d", "",
            "How long messages and attempts are kept.", ""},
    Setting{"idempotency_ttl", &Settings::idempotency_ttl, "24h", "1m", "30d", "",
            "How long an Idempotency-Key or eventId is remembered.", ""},
    Setting{"disable_endpoint_after", &Settings::disable_endpoint_after, "5d", "1s", "3650d", "never",
            "An endpoint with nothing but failures for this long is disabled.", ""},
    Setting{
        "backlog_threshold", &Settings::backlog_threshold, "10000", "10", "1000000", "",
        "So many due deliveries waiting for one endpoint cause the operational webhook backlog.threshold.",
        ""},
    Setting{"endpoint_concurrency", &Settings::endpoint_concurrency, "64", "1", "10000", "",
            "Requests under way to one endpoint at most.", ""},
    Setting{"worker_concurrency", &Settings::worker_concurrency, "1024", "1", "20000", "",
            "Requests under way in one worker thread at most.", ""},
    Setting{"ingest_queue_limit", &Settings::ingest_queue_limit, "20000", "100", "1000000", "",
            "Messages that may wait for their commit; more are answered 503.", ""},
    Setting{"http_threads", &Settings::http_threads, "0", "1", "256", "one a processor",
            "Threads of the HTTP API.", ""},
    Setting{"worker_threads", &Settings::worker_threads, "0", "1", "64", "one a processor",
            "Threads that deliver.", ""},
    Setting{"shutdown_grace", &Settings::shutdown_grace, "", "1s", "10m", "",
            "After SIGTERM what is under way may take this long. Longer than the request timeout.",
            "request_timeout + 5s"},
    Setting{
        "allow_networks", &Settings::allow_networks, "", "", "", "",
        "CIDRs to which may be delivered although they are private or reserved, e.g. 127.0.0.0/8,10.0.0.0/8.",
        "none: private ranges are refused"},
    Setting{"ca_file", &Settings::ca_file, "/etc/ssl/certs/ca-certificates.crt", "", "", "",
            "Certificate authorities (PEM) that HTTPS endpoints are checked against.", ""},
    Setting{"name_servers", &Settings::name_servers, "", "", "", "", "DNS servers, as address:port.",
            "the system's"},
    Setting{"svix_headers", &Settings::svix_headers, "false", "", "", "",
            "Adds svix-id, svix-timestamp and svix-signature to the webhook-* headers.", ""},
    Setting{"log_level", &Settings::log_level, "info", "", "", "",
            "The least serious messages that are logged.", ""},
    Setting{"log_format", &Settings::log_format, "text", "", "", "",
            "Lines for people or objects for machines.", ""},
    Setting{"access_log", &Settings::access_log, "false", "", "", "", "A log line for every API request.",
            ""},
};

std::string joined_upper(std::string_view name) {
    std::string text(name);
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    return text;
}

std::string range_text(const Setting& s) {
    return fmt::format("from {} to {}{}", s.smallest, s.largest,
                       s.zero.empty() ? "" : fmt::format(", or 0: {}", s.zero));
}
}  // namespace

std::span<const Setting> all_settings() { return table; }

std::string flag_name(const Setting& setting) {
    std::string text = fmt::format("--{}", setting.name);
    std::replace(text.begin(), text.end(), '_', '-');
    return text;
}

std::string environment_name(const Setting& setting) { return "POSTHORN_" + joined_upper(setting.name); }

std::string shown_default(const Setting& setting) {
    if (!setting.derived.empty()) return std::string(setting.derived);
    if (setting.initial == "0" && !setting.zero.empty()) return fmt::format("0: {}", setting.zero);
    return setting.initial.empty() ? "none" : std::string(setting.initial);
}

std::string rule_of(const Setting& s) {
    if (s.field == Field(&Settings::master_key))
        return "32 bytes in base64 or hex (openssl rand -base64 32 makes one)";
    if (s.field == Field(&Settings::jwt_secret))
        return "at least 16 characters (openssl rand -hex 32 makes some)";
    if (s.field == Field(&Settings::database_url))
        return "a postgres:// URL (with @ / ? # in a password percent-encoded) or key=value pairs, as libpq "
               "takes them";
    struct {
        const Setting& s;
        std::string operator()(bool Settings::*) const { return "true or false"; }
        std::string operator()(std::size_t Settings::*) const { return "a number " + range_text(s); }
        std::string operator()(std::chrono::milliseconds Settings::*) const {
            return fmt::format("a duration {} (units ms, s, m, h, d)", range_text(s));
        }
        std::string operator()(std::vector<std::chrono::milliseconds> Settings::*) const {
            return fmt::format("at most {} durations {} (units ms, s, m, h, d), separated by commas",
                               schedule_limit, range_text(s));
        }
        std::string operator()(std::vector<std::string> Settings::*) const {
            return "values separated by commas";
        }
        std::string operator()(std::filesystem::path Settings::*) const { return "a path"; }
        std::string operator()(Secret Settings::*) const { return "text"; }
        std::string operator()(std::vector<Secret> Settings::*) const {
            return fmt::format("at most {} keys as of master_key, separated by commas",
                               other_master_keys_limit);
        }
        std::string operator()(ListenAddress Settings::*) const {
            return "an address and a port, such as 127.0.0.1:8071, [::]:8071 or localhost:8071";
        }
        std::string operator()(std::set<Role> Settings::*) const {
            return "all, or some of ingest, admin, worker, separated by commas";
        }
        std::string operator()(LogLevel Settings::*) const {
            return "one of trace, debug, info, warn, error";
        }
        std::string operator()(LogFormat Settings::*) const { return "text or json"; }
    } const words{s};
    return std::visit(words, s.field);
}

bool is_secret(const Setting& setting) {
    return std::holds_alternative<Secret Settings::*>(setting.field) ||
           std::holds_alternative<std::vector<Secret> Settings::*>(setting.field);
}

bool store_text(const Setting& setting, std::string_view text, Settings& settings) {
    return std::visit([&](auto member) { return read_value(setting, text, settings.*member); },
                      setting.field);
}

std::string settings_as_markdown() {
    std::string text =
        "# Settings\n\n"
        "Made from the table in `src/config/settings_table.cpp`; a test compares them.\n\n"
        "A setting is given as a flag (`--request-timeout 15s`), as a variable "
        "(`POSTHORN_REQUEST_TIMEOUT=15s`) or in a TOML\n"
        "file (`request_timeout = \"15s\"`) that `--config` or `POSTHORN_CONFIG` names; the first of these "
        "that has it wins. An\n"
        "empty variable counts as not set. Whatever is wrong is reported at the start, everything at once.\n";
    for (const auto& s : table)
        text +=
            fmt::format("\n## `{}`\n\n{}\n\n- flag `{}`, variable `{}`\n- value: {}\n- default: {}\n", s.name,
                        s.meaning, flag_name(s), environment_name(s), rule_of(s), shown_default(s));
    return text;
}

}  // namespace posthorn::config
