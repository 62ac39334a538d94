#pragma once
#include <CLI/App.hpp>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/resolve.hpp"

namespace posthorn::cli {

// The settings of a subcommand: a flag for each (and --config) is added to the command, whose lifetime is at
// least this object's.
class SettingsFlags {
public:
    // `names` as in the table ("database_url"); empty: all. Settings without a flag here still come from
    // variables and file.
    explicit SettingsFlags(CLI::App& command, const std::vector<std::string_view>& names = {});
    SettingsFlags(const SettingsFlags&) = delete;
    SettingsFlags& operator=(const SettingsFlags&) = delete;

    // After parsing. Throws config::SettingsError with everything that is wrong. Secrets may still be
    // missing: see generated_secrets.hpp.
    config::Settings settings() const;

private:
    std::map<std::string, std::string> given() const;

    CLI::App& command_;
    std::map<std::string, std::string> texts_;  // by flag; CLI11 writes into them
};

}  // namespace posthorn::cli
