#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "config/settings.hpp"

namespace posthorn::config {

// Where a setting is kept: its type decides how text becomes a value.
using Field = std::variant<bool Settings::*, std::size_t Settings::*, std::chrono::milliseconds Settings::*,
                           std::vector<std::chrono::milliseconds> Settings::*,
                           std::vector<std::string> Settings::*, std::filesystem::path Settings::*,
                           Secret Settings::*, std::vector<Secret> Settings::*, ListenAddress Settings::*,
                           std::set<Role> Settings::*, LogLevel Settings::*, LogFormat Settings::*>;

// One row of the table from which --help, docs/settings.md and the validation come.
struct Setting {
    std::string_view name;  // "request_timeout": so in TOML; POSTHORN_REQUEST_TIMEOUT; --request-timeout
    Field field;
    std::string_view initial;   // default, in the words a user would write; empty: none
    std::string_view smallest;  // durations and counts; both ends belong to the range
    std::string_view largest;
    std::string_view zero;     // what 0 means, where it is allowed beside the range; else empty
    std::string_view meaning;  // for --help and the documentation
    std::string_view derived;  // what holds where there is no fixed default
};

std::span<const Setting> all_settings();

std::string flag_name(const Setting& setting);         // "--request-timeout"
std::string environment_name(const Setting& setting);  // "POSTHORN_REQUEST_TIMEOUT"
std::string shown_default(const Setting& setting);     // "15s"; "none"
std::string rule_of(const Setting& setting);           // "a duration from 1s to 60s, such as 15s"
bool is_secret(const Setting& setting);                // its value is never shown

// Puts the value that the text stands for into `settings`. False, and nothing changed, where it breaks
// rule_of().
bool store_text(const Setting& setting, std::string_view text, Settings& settings);

std::string settings_as_markdown();  // docs/settings.md

}  // namespace posthorn::config
