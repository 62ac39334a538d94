#include "cli/settings_from_command_line.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/format.h>

#include "config/settings_table.hpp"
#include "domain/address_rules.hpp"

namespace posthorn::cli {

namespace {
// Asked here, since config knows nothing of domain.
void check_networks(config::Resolved& resolved) {
    const auto origin = resolved.origin.find("allow_networks");
    for (const auto& network : resolved.settings.allow_networks) {
        if (domain::parse_networks(network)) continue;
        resolved.problems.push_back(
            {"allow_networks", origin == resolved.origin.end() ? "default" : origin->second,
             fmt::format("must be networks such as 10.0.0.0/8 or fd00::/8; \"{}\" is none", network)});
    }
}
}  // namespace

SettingsFlags::SettingsFlags(CLI::App& command, const std::vector<std::string_view>& names)
    : command_(command) {
    command.add_option("--config", texts_["--config"], "TOML file with settings (POSTHORN_CONFIG)")
        ->type_name("FILE");
    for (const auto& setting : config::all_settings()) {
        if (!names.empty() && std::find(names.begin(), names.end(), setting.name) == names.end()) continue;
        const auto flag = config::flag_name(setting);
        const auto help = fmt::format("{} ({}; default {})", setting.meaning,
                                      config::environment_name(setting), config::shown_default(setting));
        if (std::holds_alternative<bool config::Settings::*>(setting.field))
            command.add_flag(flag, texts_[flag], help);
        else
            command.add_option(flag, texts_[flag], help)->type_name("VALUE");
    }
}

std::map<std::string, std::string> SettingsFlags::given() const {
    std::map<std::string, std::string> flags;
    for (const auto& [flag, text] : texts_)
        if (command_.count(flag) > 0) flags.emplace(flag, text);
    return flags;
}

config::Settings SettingsFlags::settings() const {
    auto resolved = config::resolve({given(), config::environment_of_process()});
    check_networks(resolved);
    if (!resolved.problems.empty()) throw config::SettingsError(std::move(resolved.problems));
    return std::move(resolved.settings);
}

}  // namespace posthorn::cli
