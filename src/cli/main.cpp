// posthorn: finds the command, runs it, and says what went wrong.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <fmt/format.h>
#include <string_view>

#include "cli/command.hpp"
#include "cli/nearest_word.hpp"
#include "cli/version.hpp"
#include "config/resolve.hpp"

namespace posthorn::cli {
namespace {
constexpr std::size_t longest_name = 12;

void print_help() {
    fmt::print("Posthorn {}: reliable delivery of webhooks\n\nusage: posthorn <command> [options]\n\n",
               version);
    for (const auto& command : all_commands())
        fmt::print("  {:<{}}  {}\n", command.name, longest_name, command.help);
    fmt::print("\nposthorn <command> --help shows its options. Begin with: posthorn demo\n");
}

int refuse_unknown(std::string_view given) {
    fmt::print(stderr, "posthorn: there is no command \"{}\"\n", given);
    std::vector<std::string_view> names;
    for (const auto& command : all_commands()) names.push_back(command.name);
    if (const auto nearest = nearest_word(given, names))
        fmt::print(stderr, "  Did you mean: posthorn {}\n", *nearest);
    else
        fmt::print(stderr, "  posthorn --help lists the commands.\n");
    return exit_usage;
}

int run_reporting(const Command& command, int argc, char** argv) {
    try {
        return command.run(argc, argv);
    } catch (const CommandFailed& error) {
        fmt::print(stderr, "posthorn {}: {}\n", command.name, error.what());
        if (!error.next().empty()) fmt::print(stderr, "  {}\n", error.next());
        return exit_failed;
    } catch (const UsageError& error) {
        fmt::print(stderr, "posthorn {}: {}\n  posthorn {} --help shows how it is used.\n", command.name,
                   error.what(), command.name);
        return exit_usage;
    } catch (const config::SettingsError& error) {
        fmt::print(stderr, "posthorn {}: {}\n  posthorn serve --help explains the settings.\n", command.name,
                   error.what());
        return exit_usage;
    } catch (const std::exception& error) {
        fmt::print(stderr, "posthorn {}: {}\n", command.name, error.what());
        return exit_failed;
    }
}

int run(int argc, char** argv) {
    if (argc < 2) {
        print_help();
        return exit_usage;
    }
    const std::string_view given = argv[1];
    if (given == "--help" || given == "-h" || given == "help") {
        print_help();
        return exit_ok;
    }
    if (given == "--version" || given == "version") {
        fmt::print("posthorn {}\n", version);
        return exit_ok;
    }
    const auto commands = all_commands();
    const auto found = std::find_if(commands.begin(), commands.end(),
                                    [&](const Command& command) { return command.name == given; });
    if (found == commands.end()) return refuse_unknown(given);
    return run_reporting(*found, argc - 1, argv + 1);
}
}  // namespace
}  // namespace posthorn::cli

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);  // a peer that closed is an error to handle, not an end
    return posthorn::cli::run(argc, argv);
}
