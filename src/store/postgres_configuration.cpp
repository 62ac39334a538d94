#include "store/postgres_configuration.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fstream>
#include <stdexcept>
#include <unistd.h>
#include <vector>

namespace posthorn::store {

namespace {
constexpr std::int64_t mebibyte = 1024 * 1024;

std::string durability(const PostgresConfiguration& c) {
    if (!c.durable) return "fsync = off\nfull_page_writes = off\nsynchronous_commit = off\n";
    return fmt::format("fsync = on\nfull_page_writes = on\nsynchronous_commit = on\nwal_compression = {}\n",
                       c.wal_lz4 ? "lz4" : "on");
}
}  // namespace

std::string quoted_setting(const std::string& value) {
    if (value.find_first_of("\r\n") != std::string::npos)
        throw std::runtime_error("a path may not contain a line break");
    std::string text = "'";
    for (const char c : value) {
        if (c == '\'' || c == '\\') text += c;
        text += c;
    }
    return text + "'";
}

std::string configuration_text(const PostgresConfiguration& c) {
    return fmt::format(
        R"(# Written by posthorn at every start. Settings of your own: ALTER SYSTEM (psql, user postgres).
include = {cluster}

listen_addresses = ''
unix_socket_directories = {socket}
unix_socket_permissions = 0700
port = 5432
max_connections = {connections}

{durability}
# Base backups and a replica are possible.
wal_level = replica
max_wal_size = 2GB
min_wal_size = 256MB
wal_buffers = 16MB
checkpoint_timeout = 15min
checkpoint_completion_target = 0.9

shared_buffers = {buffers}MB
effective_cache_size = {cache}MB
work_mem = 8MB
maintenance_work_mem = 128MB
random_page_cost = 1.1
jit = off
max_parallel_workers_per_gather = 0

# Hot tables are small and turn over completely: many short vacuums.
autovacuum_naptime = 10s
autovacuum_vacuum_threshold = 1000
autovacuum_vacuum_scale_factor = 0.05
autovacuum_analyze_threshold = 1000
autovacuum_analyze_scale_factor = 0.1
autovacuum_vacuum_cost_limit = 2000

timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
logging_collector = on
log_directory = {log}
log_filename = 'postgresql-%Y%m%d-%H%M%S.log'
log_rotation_size = {log_limit}MB
log_rotation_age = 1d
log_line_prefix = '%m [%p] %a '
log_checkpoints = on
log_lock_waits = on
log_min_duration_statement = 1s
# Parameters are customers' payloads and secrets.
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
{statistics})",
        fmt::arg("cluster", quoted_setting((c.cluster / "postgresql.conf").string())),
        fmt::arg("socket", quoted_setting(c.socket_directory.string())),
        fmt::arg("connections", c.max_connections), fmt::arg("durability", durability(c)),
        fmt::arg("buffers", c.shared_buffers_mb), fmt::arg("cache", std::max(256, c.memory_mb / 2)),
        fmt::arg("log", quoted_setting(c.log_directory.string())), fmt::arg("log_limit", log_file_limit_mb),
        fmt::arg("statistics",
                 c.statement_statistics ? "shared_preload_libraries = 'pg_stat_statements'\n" : ""));
}

int memory_in_megabytes() {
    std::int64_t bytes = sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    std::int64_t limit = 0;
    if (std::ifstream("/sys/fs/cgroup/memory.max") >> limit && limit > 0) bytes = std::min(bytes, limit);
    return static_cast<int>(bytes / mebibyte);
}

int shared_buffers_for(int memory_mb) { return std::clamp(memory_mb / 8, 128, 1024); }

void remove_old_logs(const std::filesystem::path& log_directory) {
    std::vector<std::filesystem::path> files;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(log_directory, error))
        if (entry.path().filename().string().starts_with("postgresql-")) files.push_back(entry.path());
    std::sort(files.begin(), files.end());  // the names hold the time
    for (std::size_t i = 0; i + log_files_kept < files.size(); ++i) std::filesystem::remove(files[i], error);
}

}  // namespace posthorn::store
