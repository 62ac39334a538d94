#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

#include "store/postgres_installation.hpp"

namespace posthorn::store {

struct PostgresConfiguration {
    std::filesystem::path cluster;           // PGDATA; initdb's postgresql.conf there is included first
    std::filesystem::path socket_directory;  // absolute
    std::filesystem::path log_directory;     // absolute
    int shared_buffers_mb = 128;
    int memory_mb = 1024;  // what the machine has, or the control group allows
    int max_connections = 100;
    bool durable = true;  // false: nothing is synced; for tests
    bool wal_lz4 = false;
    bool statement_statistics = false;  // pg_stat_statements is installed
};

// The text of the configuration file that the server is started with.
std::string configuration_text(const PostgresConfiguration& configuration);

// A value in single quotes, as postgresql.conf wants it. Throws std::runtime_error for a line break.
std::string quoted_setting(const std::string& value);

int memory_in_megabytes();              // of this machine or control group
int shared_buffers_for(int memory_mb);  // an eighth, in 128 to 1024

// Server logs rotate at this size; of the files only the newest few are kept.
inline constexpr int log_file_limit_mb = 16;
inline constexpr std::size_t log_files_kept = 8;
void remove_old_logs(const std::filesystem::path& log_directory);

}  // namespace posthorn::store
