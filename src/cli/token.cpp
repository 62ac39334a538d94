#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fstream>

#include "base/duration.hpp"
#include "cli/client_token.hpp"
#include "cli/command.hpp"
#include "cli/run_commands.hpp"
#include "cli/settings_from_command_line.hpp"
#include "config/setting_values.hpp"
#include "domain/access_token.hpp"

namespace posthorn::cli {

namespace {
constexpr int days_a_year = 365;

std::chrono::seconds lifetime_of(const std::string& text) {
    std::string in_days = text;
    if (text.size() > 1 && text.size() < 5 && text.ends_with('y') &&
        text.find_first_not_of("0123456789") == text.size() - 1)
        in_days = fmt::format("{}d", std::stoi(text) * days_a_year);
    const auto lifetime = parse_duration(in_days);
    if (!lifetime || *lifetime < std::chrono::seconds(1))
        throw UsageError(fmt::format(
            "--lifetime must be a duration from 1s to 10y, such as 12h or 90d; not \"{}\"", text));
    return std::chrono::duration_cast<std::chrono::seconds>(*lifetime);
}

Secret read_secret_file(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    if (!std::getline(file, line))
        throw CommandFailed(fmt::format("cannot read a secret from {}", path),
                            "Its first line should be the service's JWT secret.");
    if (line.size() < config::jwt_secret_minimum_characters)
        throw CommandFailed(fmt::format("the secret in {} is shorter than {} characters", path,
                                        config::jwt_secret_minimum_characters));
    return Secret(std::move(line));
}

OrganizationId organization_of(const std::string& text) {
    if (text.empty()) return domain::default_organization();
    if (const auto parsed = domain::parse_organization(text)) return *parsed;
    throw UsageError(fmt::format("--org must be an organization's id (org_...); not \"{}\"", text));
}

std::optional<ApplicationId> application_of(const std::string& text) {
    if (text.empty()) return std::nullopt;
    if (const auto parsed = ApplicationId::parse(text)) return parsed;
    throw UsageError(
        fmt::format("--app must be an application's id (app_..., as the API shows it); not \"{}\"", text));
}
}  // namespace

int run_token(int argc, char** argv) {
    const auto app =
        make_app("token", "Prints an access token: for an organization, or for one application of it.",
                 "The secret comes from --jwt-secret-file, POSTHORN_JWT_SECRET, or the data directory "
                 "in which `posthorn serve` made one.");
    std::string organization, application, lifetime = "10y", secret_file;
    app->add_option("--org", organization, "organization (default: the default one)")->type_name("ORG_ID");
    app->add_option("--app", application, "for this application alone, as its owner")->type_name("APP_ID");
    app->add_option("--lifetime", lifetime, "how long it is valid")->type_name("TIME")->capture_default_str();
    app->add_option("--jwt-secret-file", secret_file, "file with the service's JWT secret")
        ->type_name("FILE");
    const SettingsFlags settings_flags(*app, {"data_dir"});
    if (const auto status = parse_arguments(*app, argc, argv)) return *status;

    const auto valid_for = lifetime_of(lifetime);
    const auto of_organization = organization_of(organization);
    const auto of_application = application_of(application);
    auto settings = settings_flags.settings();
    if (!secret_file.empty()) settings.jwt_secret = read_secret_file(secret_file);
    fmt::print("{}\n", make_client_token(std::move(settings), of_organization, of_application, valid_for));
    return exit_ok;
}

}  // namespace posthorn::cli
