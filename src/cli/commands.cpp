#include <array>

#include "cli/command.hpp"
#include "cli/run_commands.hpp"
#include "cli/serve.hpp"

namespace posthorn::cli {

namespace {
constexpr std::array commands{
    Command{"serve", "runs the service: API, delivery, and a PostgreSQL of its own unless one is given",
            run_serve},
    Command{"demo", "shows the whole service at work, with a failing subscriber", run_demo},
    Command{"token", "prints an access token for the API", run_token},
    Command{"send", "submits an event, from a file or stdin", run_send},
    Command{"listen", "a local subscriber: verifies signatures and shows what arrives", run_listen},
    Command{"verify", "tells whether a signature is right, or why not", run_verify},
    Command{"dead-letters", "lists and replays what could not be delivered", run_dead_letters},
    Command{"migrate", "brings the database's schema up to date", run_migrate},
    Command{"rekey", "encrypts all endpoint secrets with a new master key", run_rekey},
};
}  // namespace

std::span<const Command> all_commands() { return commands; }

}  // namespace posthorn::cli
