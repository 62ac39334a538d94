#include "config/resolve.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <numeric>
#include <optional>
#include <unistd.h>

#include "base/crash_point.hpp"
#include "base/duration.hpp"
#include "config/settings_table.hpp"
#include "config/toml_file.hpp"

namespace posthorn::config {

using std::chrono::milliseconds;

namespace {
constexpr std::string_view prefix = "POSTHORN_";
constexpr std::string_view config_flag = "--config";
constexpr std::string_view config_variable = "POSTHORN_CONFIG";
// Read by the commands that are clients of a running service, by rekey, and where tests arm a crash point.
constexpr std::array variables_of_others{std::string_view("POSTHORN_URL"), std::string_view("POSTHORN_TOKEN"),
                                         std::string_view("POSTHORN_NEW_MASTER_KEY"),
                                         std::string_view(crash_point_variable)};
constexpr std::size_t longest_shown = 80;

// Kubernetes describes a Service named "posthorn" to every container with variables of these names.
bool set_by_kubernetes(std::string_view name) {
    return name.starts_with("POSTHORN_SERVICE_") || name == "POSTHORN_PORT" ||
           name.starts_with("POSTHORN_PORT_");
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), 0U);
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const auto changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row.back();
}

template <class Name>
std::string unknown_setting(std::string_view given, Name name) {
    std::string best;
    std::size_t least = std::max<std::size_t>(3, given.size() / 3);
    for (const auto& setting : all_settings()) {
        const std::string candidate = name(setting);
        const auto distance = edit_distance(given, candidate);
        if (distance >= least) continue;
        least = distance;
        best = candidate;
    }
    return best.empty() ? "is no setting; posthorn serve --help lists them"
                        : fmt::format("is no setting; did you mean {}?", best);
}

std::string shown(const Setting& setting, const std::string& text) {
    if (is_secret(setting)) return "what is given is not";
    const auto part = text.size() > longest_shown ? text.substr(0, longest_shown) + "..." : text;
    return fmt::format("not \"{}\"", part);
}

class Resolution {
public:
    void take(const Setting& setting, const std::string& text, std::string given_as,
              const std::string& source) {
        if (store_text(setting, text, result.settings)) {
            result.origin.insert_or_assign(std::string(setting.name), source);
            return;
        }
        report(std::move(given_as), source,
               fmt::format("must be {}; {}", rule_of(setting), shown(setting, text)));
    }

    void take_defaults() {
        for (const auto& setting : all_settings())
            if (!setting.initial.empty() && !store_text(setting, setting.initial, result.settings))
                throw std::logic_error(fmt::format("the default of {} breaks its own rule", setting.name));
    }

    void take_file(const std::string& path) {
        const auto file = read_toml_file(path);
        for (const auto& problem : file.problems) result.problems.push_back(problem);
        for (const auto& entry : file.entries) {
            const auto source = fmt::format("file {} line {}", path, entry.line);
            if (const auto* setting = named(entry.key))
                take(*setting, entry.text, entry.key, source);
            else
                report(entry.key, source,
                       unknown_setting(entry.key, [](const Setting& s) { return std::string(s.name); }));
        }
    }

    void take_environment(const std::map<std::string, std::string>& environment) {
        for (const auto& [name, text] : environment) {
            if (!name.starts_with(prefix) || name == config_variable || set_by_kubernetes(name)) continue;
            if (std::find(variables_of_others.begin(), variables_of_others.end(), name) !=
                variables_of_others.end())
                continue;
            const auto settings = all_settings();
            const auto found = std::find_if(settings.begin(), settings.end(),
                                            [&](const Setting& s) { return environment_name(s) == name; });
            if (found == settings.end())
                report(name, "environment", unknown_setting(name, environment_name));
            else if (!text.empty())
                take(*found, text, name, "environment");
        }
    }

    void take_flags(const std::map<std::string, std::string>& flags) {
        for (const auto& setting : all_settings()) {
            const auto found = flags.find(flag_name(setting));
            if (found != flags.end()) take(setting, found->second, found->first, "flag");
        }
    }

    void derive() {
        if (!result.origin.contains("shutdown_grace"))
            result.settings.shutdown_grace = result.settings.request_timeout + std::chrono::seconds(5);
    }

    void check_together() {
        const auto& s = result.settings;
        if (s.max_delivery_age >= s.retention)
            report_named("max_delivery_age",
                         fmt::format("must be below the retention ({}); it is {}",
                                     format_duration(s.retention), format_duration(s.max_delivery_age)));
        const auto total = std::accumulate(s.retry_schedule.begin(), s.retry_schedule.end(), milliseconds(0));
        if (total >= s.max_delivery_age)
            report_named("retry_schedule",
                         fmt::format("takes {} in all and would not end before max_delivery_age ({})",
                                     format_duration(total), format_duration(s.max_delivery_age)));
        if (s.shutdown_grace <= s.request_timeout)
            report_named("shutdown_grace",
                         fmt::format("must be above the request_timeout ({}); it is {}",
                                     format_duration(s.request_timeout), format_duration(s.shutdown_grace)));
    }

    Resolved result;

private:
    static const Setting* named(std::string_view name) {
        const auto settings = all_settings();
        const auto found =
            std::find_if(settings.begin(), settings.end(), [&](const Setting& s) { return s.name == name; });
        return found == settings.end() ? nullptr : &*found;
    }

    void report(std::string setting, std::string source, std::string rule) {
        result.problems.push_back({std::move(setting), std::move(source), std::move(rule)});
    }

    void report_named(const std::string& name, std::string rule) {
        const auto origin = result.origin.find(name);
        report(name, origin == result.origin.end() ? "default" : origin->second, std::move(rule));
    }
};

std::string listing(const std::vector<SettingProblem>& problems) {
    std::string text =
        problems.size() == 1 ? "a setting is wrong:" : fmt::format("{} settings are wrong:", problems.size());
    for (const auto& problem : problems)
        text += fmt::format("\n  {} ({}) {}", problem.setting, problem.source, problem.rule);
    return text;
}
}  // namespace

SettingsError::SettingsError(std::vector<SettingProblem> problems)
    : std::runtime_error(listing(problems)), problems_(std::move(problems)) {}

std::map<std::string, std::string> environment_of_process() {
    std::map<std::string, std::string> result;
    for (char** entry = environ; entry && *entry; ++entry) {
        const std::string_view text = *entry;
        const auto equals = text.find('=');
        if (equals != std::string_view::npos) result.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return result;
}

Resolved resolve(const Sources& sources) {
    Resolution resolution;
    resolution.take_defaults();
    const auto flag = sources.flags.find(std::string(config_flag));
    const auto variable = sources.environment.find(std::string(config_variable));
    if (flag != sources.flags.end())
        resolution.take_file(flag->second);
    else if (variable != sources.environment.end() && !variable->second.empty())
        resolution.take_file(variable->second);
    resolution.take_environment(sources.environment);
    resolution.take_flags(sources.flags);
    resolution.derive();
    if (resolution.result.problems.empty()) resolution.check_together();
    return std::move(resolution.result);
}

}  // namespace posthorn::config
