#pragma once
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"

namespace posthorn::config {

// One thing wrong with the settings: the setting under the name that the user gave it, and where.
struct SettingProblem {
    std::string setting;  // "--listen", "POSTHORN_LISTEN", "listen"
    std::string source;   // "flag", "environment", "file /etc/posthorn.toml line 3", "default"
    std::string rule;     // what it must be, and what it is; no secret's value
};

// what() lists every problem, one a line.
class SettingsError : public std::runtime_error {
public:
    explicit SettingsError(std::vector<SettingProblem> problems);
    const std::vector<SettingProblem>& problems() const { return problems_; }

private:
    std::vector<SettingProblem> problems_;
};

struct Sources {
    std::map<std::string, std::string> flags;  // by flag, e.g. {"--listen", "127.0.0.1:0"}, and "--config"
    std::map<std::string, std::string> environment;  // the whole of it
};
std::map<std::string, std::string> environment_of_process();

// Flags before variables before the TOML file before defaults. A bad value is a problem even where a better
// source has another; the rules between settings are checked when each for itself is right.
struct Resolved {
    Settings settings;
    std::map<std::string, std::string, std::less<>>
        origin;                            // by name ("allow_networks"): the source; absent for a default
    std::vector<SettingProblem> problems;  // not empty: the settings must not be used
};
Resolved resolve(const Sources& sources);

}  // namespace posthorn::config
