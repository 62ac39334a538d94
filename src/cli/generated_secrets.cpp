#include "cli/generated_secrets.hpp"

#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include "base/encoding.hpp"
#include "base/random.hpp"
#include "config/resolve.hpp"
#include "config/settings_table.hpp"
#include "store/data_directory.hpp"

namespace posthorn::cli {

namespace fs = std::filesystem;

namespace {
struct WantedSecret {
    std::string_view name;  // of the setting; the file's has a dash
    Secret config::Settings::* field;
    bool guards_data;  // must not be replaced while there is a database
    std::string_view how_to_make;
};

constexpr WantedSecret jwt_secret{"jwt_secret", &config::Settings::jwt_secret, false, "openssl rand -hex 32"};
constexpr WantedSecret master_key{"master_key", &config::Settings::master_key, true,
                                  "openssl rand -base64 32"};

const config::Setting& setting_of(const WantedSecret& secret) {
    for (const auto& setting : config::all_settings())
        if (setting.name == secret.name) return setting;
    throw std::logic_error("no such setting");
}

std::runtime_error failed(const fs::path& path, std::string_view action, int error) {
    return std::runtime_error(
        fmt::format("cannot {} {}: {}", action, path.string(), std::generic_category().message(error)));
}

std::optional<std::string> read_secret(const fs::path& path) {
    std::error_code error;
    const bool exists = fs::exists(path, error);
    if (error) throw failed(path, "read", error.value());
    if (!exists) return std::nullopt;
    std::ifstream file(path);
    std::string text;
    if (!std::getline(file, text)) throw failed(path, "read", errno);
    return text;
}

void write_synced(const fs::path& path, const std::string& text) {
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) throw failed(path, "make", errno);
    const bool written =
        write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(file) == 0;
    const int error = errno;
    close(file);
    if (!written) throw failed(path, "write", error);
}

// link() fails where the file exists: of two processes that start together both get the first one's secret.
std::string make_secret(const fs::path& path) {
    const auto temporary = fs::path(path).concat(fmt::format(".{}.new", getpid()));
    unlink(temporary.c_str());
    const auto text = base64_encode(random_bytes(32));
    write_synced(temporary, text + "\n");
    const bool linked = link(temporary.c_str(), path.c_str()) == 0;
    const int error = errno;
    unlink(temporary.c_str());
    if (!linked && error != EEXIST) throw failed(path, "make", error);
    store::sync_directory(path.parent_path());
    return linked ? text : read_secret(path).value();
}

std::string file_name(const WantedSecret& secret) { return secret.guards_data ? "master-key" : "jwt-secret"; }

std::string from_data_directory(const WantedSecret& secret, const fs::path& data_dir, bool make_missing) {
    const auto path = data_dir / "secrets" / file_name(secret);
    if (auto text = read_secret(path)) return *text;
    const auto variable = config::environment_name(setting_of(secret));
    if (!make_missing)
        throw std::runtime_error(
            fmt::format("there is no {} yet. Start `posthorn serve` first, name its data directory with "
                        "POSTHORN_DATA_DIR, or give its {}",
                        path.string(), variable));
    if (secret.guards_data && fs::exists(data_dir / "postgres"))
        throw std::runtime_error(
            fmt::format("the key {} is missing, but there is a database with what it encrypted. Put the file "
                        "back, or give the key with {}",
                        path.string(), variable));
    const auto made = store::make_data_directory(data_dir);
    store::make_private_directory(made / "secrets", std::nullopt);
    store::sync_directory(made);
    return make_secret(made / "secrets" / file_name(secret));
}
}  // namespace

void complete_secrets(config::Settings& settings, SecretsWanted wanted) {
    std::vector<WantedSecret> missing;
    if (wanted.jwt_secret && settings.jwt_secret.empty()) missing.push_back(jwt_secret);
    if (wanted.master_key && settings.master_key.empty()) missing.push_back(master_key);
    std::vector<config::SettingProblem> problems;
    for (const auto& secret : missing) {
        const auto& setting = setting_of(secret);
        if (!settings.embedded()) {
            problems.push_back(
                {config::environment_name(setting), "not given",
                 fmt::format(
                     "must be given with POSTHORN_DATABASE_URL, the same to every process; `{}` makes one",
                     secret.how_to_make)});
        } else if (!config::store_text(setting,
                                       from_data_directory(secret, settings.data_dir, wanted.make_missing),
                                       settings)) {
            problems.push_back({(settings.data_dir / "secrets" / file_name(secret)).string(),
                                "data directory",
                                fmt::format("must hold {}; it does not", config::rule_of(setting))});
        }
    }
    if (!problems.empty()) throw config::SettingsError(std::move(problems));
}

}  // namespace posthorn::cli
