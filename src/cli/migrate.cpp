#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command.hpp"
#include "cli/database_of_command.hpp"
#include "cli/generated_secrets.hpp"
#include "cli/run_commands.hpp"
#include "cli/settings_from_command_line.hpp"
#include "store/migrations.hpp"
#include "store/queries.hpp"

namespace posthorn::cli {

namespace {
boost::asio::awaitable<int> migrate(store::Connection& connection) {
    co_return co_await store::migrate(connection);
}
}  // namespace

int run_migrate(int argc, char** argv) {
    const auto app =
        make_app("migrate", "Brings the database's schema up to this program's.",
                 "`posthorn serve` does the same when it starts. Without a database URL the embedded "
                 "PostgreSQL of the data directory is started and stopped again.");
    const SettingsFlags settings_flags(*app, {"database_url", "data_dir"});
    if (const auto status = parse_arguments(*app, argc, argv)) return *status;

    auto settings = settings_flags.settings();
    // A master key is never made beside a database that exists already: it goes first.
    if (settings.embedded()) complete_secrets(settings);
    DatabaseOfCommand database(settings);
    const int applied = database.run(migrate);
    const auto newest = store::sql::migrations().size();
    if (applied == 0)
        fmt::print("nothing to do: the schema is at version {}\n", newest);
    else
        fmt::print("applied {} migration{}: the schema is at version {}\n", applied, applied == 1 ? "" : "s",
                   newest);
    return exit_ok;
}

}  // namespace posthorn::cli
