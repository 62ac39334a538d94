#pragma once
#include <string>
#include <vector>

#include "config/resolve.hpp"

namespace posthorn::config {

struct TomlFile {
    struct Entry {
        std::string key;   // with dots where it is inside a table
        std::string text;  // as a flag would be written: arrays separated by commas
        unsigned line = 0;
    };
    std::vector<Entry> entries;
    std::vector<SettingProblem> problems;  // unreadable, not TOML, values of a type that no setting has
};

TomlFile read_toml_file(const std::string& path);

}  // namespace posthorn::config
