#pragma once
#include <filesystem>
#include <optional>

namespace posthorn::store {

inline constexpr int oldest_supported_postgres = 14;

// Where the programs of a PostgreSQL server are.
struct PostgresInstallation {
    std::filesystem::path bin;  // holds initdb and postgres
    int major = 0;

    bool has_library(const char* name) const;  // a loadable module, e.g. "pg_stat_statements"
};

// The newest of /usr/lib/postgresql/*/bin, else that of the `initdb` on PATH. With `wanted_major` (that of an
// existing data directory) only that one. Throws std::runtime_error that says what to install.
PostgresInstallation find_postgres(std::optional<int> wanted_major);

}  // namespace posthorn::store
