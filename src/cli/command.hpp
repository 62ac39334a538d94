#pragma once
#include <CLI/App.hpp>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace posthorn::cli {

// What `posthorn` and each of its commands end with.
inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;

struct Command {
    std::string_view name;
    std::string_view help;              // one line
    int (*run)(int argc, char** argv);  // argv[0] is the command's name; the result is the exit status
};
std::span<const Command> all_commands();

// A command that can not do its work, and what its user can do about it. Ends with exit_failed.
class CommandFailed : public std::runtime_error {
public:
    explicit CommandFailed(const std::string& what, std::string next = {})
        : std::runtime_error(what), next_(std::move(next)) {}
    const std::string& next() const { return next_; }  // a sentence or more; may be empty

private:
    std::string next_;
};

// The command was called with something that makes no sense. Ends with exit_usage.
class UsageError : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

// What a command makes itself of its arguments: named "posthorn <name>", with the footer after the options.
std::unique_ptr<CLI::App> make_app(std::string_view name, std::string description, std::string footer = {});

// Nothing: go on. Else the command is done (--help) or was called wrongly, which was said, and ends with this
// status.
std::optional<int> parse_arguments(CLI::App& app, int argc, char** argv);

}  // namespace posthorn::cli
