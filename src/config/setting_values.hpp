#pragma once
#include <string_view>

#include "config/settings_table.hpp"

// How text becomes the value of each type of setting. False where the text breaks the setting's rule.
namespace posthorn::config {

inline constexpr std::size_t schedule_limit = 50;  // waiting times in retry_schedule
inline constexpr std::size_t jwt_secret_minimum_characters = 16;
inline constexpr std::size_t master_key_bytes = 32;
inline constexpr std::size_t other_master_keys_limit = 3;

bool read_value(const Setting& setting, std::string_view text, bool& value);
bool read_value(const Setting& setting, std::string_view text, std::size_t& value);
bool read_value(const Setting& setting, std::string_view text, std::chrono::milliseconds& value);
bool read_value(const Setting& setting, std::string_view text, std::vector<std::chrono::milliseconds>& value);
bool read_value(const Setting& setting, std::string_view text, std::vector<std::string>& value);
bool read_value(const Setting& setting, std::string_view text, std::filesystem::path& value);
bool read_value(const Setting& setting, std::string_view text, Secret& value);
bool read_value(const Setting& setting, std::string_view text, std::vector<Secret>& value);
bool read_value(const Setting& setting, std::string_view text, ListenAddress& value);
bool read_value(const Setting& setting, std::string_view text, std::set<Role>& value);
bool read_value(const Setting& setting, std::string_view text, LogLevel& value);
bool read_value(const Setting& setting, std::string_view text, LogFormat& value);

}  // namespace posthorn::config
