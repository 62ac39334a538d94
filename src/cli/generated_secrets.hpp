#pragma once
#include "config/settings.hpp"

namespace posthorn::cli {

// With the embedded PostgreSQL, secrets that were not given come from data_dir/secrets (0700; files 0600),
// where they are made once. With another server they must be given, the same to every process.
struct SecretsWanted {
    bool jwt_secret = true;
    bool master_key = true;
    bool make_missing = true;  // false, for clients: a secret that no service has made is an error
};

// Fills what is empty in settings.jwt_secret and settings.master_key. Throws config::SettingsError naming
// what is missing and how to make it, std::runtime_error where a file can not be read or written. A lost
// master key is not replaced while there is a database: what it encrypted would be lost without a word.
void complete_secrets(config::Settings& settings, SecretsWanted wanted = {});

}  // namespace posthorn::cli
