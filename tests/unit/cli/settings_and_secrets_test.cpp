#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>

#include "cli/generated_secrets.hpp"
#include "cli/settings_from_command_line.hpp"
#include "support/catch.hpp"
#include "support/postgres.hpp"

namespace fs = std::filesystem;
using namespace posthorn;
using posthorn::test::contains;
using posthorn::test::TemporaryDirectory;

namespace {
config::Settings settings_in(const fs::path& data_dir) {
    config::Settings settings;
    settings.data_dir = data_dir;
    return settings;
}

mode_t mode_of(const fs::path& path) {
    struct stat found{};
    REQUIRE(lstat(path.c_str(), &found) == 0);
    return found.st_mode & 0777;
}
}  // namespace

TEST_CASE("secrets are made once, kept privately, and read back later") {
    TemporaryDirectory directory;
    const auto data = directory.path() / "data";
    auto first = settings_in(data);
    cli::complete_secrets(first);
    CHECK(first.master_key.reveal().size() == 32);
    CHECK(first.jwt_secret.reveal().size() >= 32);
    CHECK(mode_of(data / "secrets") == 0700);
    CHECK(mode_of(data / "secrets" / "master-key") == 0600);
    CHECK(mode_of(data / "secrets" / "jwt-secret") == 0600);
    auto second = settings_in(data);
    cli::complete_secrets(second);
    CHECK(second.master_key.reveal() == first.master_key.reveal());
    CHECK(second.jwt_secret.reveal() == first.jwt_secret.reveal());
}

TEST_CASE("a secret that is given is not replaced, and no file is made for it") {
    TemporaryDirectory directory;
    auto settings = settings_in(directory.path() / "data");
    settings.jwt_secret = Secret("given on the command line");
    cli::complete_secrets(settings);
    CHECK(settings.jwt_secret.reveal() == "given on the command line");
    CHECK_FALSE(fs::exists(directory.path() / "data" / "secrets" / "jwt-secret"));
}

TEST_CASE("with a database of their own, secrets must be given, and both are named at once") {
    auto settings = settings_in("/nonexistent");
    settings.database_url = Secret("postgres://db/posthorn");
    REQUIRE_THROWS_WITH(cli::complete_secrets(settings),
                        contains("POSTHORN_JWT_SECRET") && contains("openssl rand -base64 32"));
}

TEST_CASE("a lost master key is not replaced behind the back of a database") {
    TemporaryDirectory directory;
    fs::create_directories(directory.path() / "postgres");
    auto settings = settings_in(directory.path());
    REQUIRE_THROWS_WITH(cli::complete_secrets(settings), contains("master-key is missing"));
}

TEST_CASE("a client makes no secret") {
    TemporaryDirectory directory;
    auto settings = settings_in(directory.path() / "data");
    REQUIRE_THROWS_WITH(
        cli::complete_secrets(settings, {.jwt_secret = true, .master_key = false, .make_missing = false}),
        contains("POSTHORN_DATA_DIR"));
    CHECK_FALSE(fs::exists(directory.path() / "data"));
}

TEST_CASE("a key file that was damaged is refused") {
    TemporaryDirectory directory;
    auto settings = settings_in(directory.path() / "data");
    cli::complete_secrets(settings);
    std::ofstream(directory.path() / "data" / "secrets" / "master-key") << "short\n";
    auto again = settings_in(directory.path() / "data");
    REQUIRE_THROWS_WITH(cli::complete_secrets(again), contains("must hold 32 bytes"));
}

TEST_CASE("flags become settings, and bad networks are reported with the rest") {
    CLI::App app;
    const cli::SettingsFlags flags(app);
    app.parse(
        "--listen 127.0.0.1:0 --access-log --retry-schedule 1s,2s --allow-networks 127.0.0.0/8,::1/128");
    const auto settings = flags.settings();
    CHECK(settings.listen.port == 0);
    CHECK(settings.access_log);
    CHECK(settings.retry_schedule.size() == 2);
    CHECK(settings.allow_networks.size() == 2);

    CLI::App other;
    const cli::SettingsFlags bad(other);
    other.parse("--allow-networks 127.0.0.0/99 --request-timeout 1h");
    REQUIRE_THROWS_WITH(bad.settings(),
                        contains("2 settings are wrong") && contains("\"127.0.0.0/99\" is none"));
}
