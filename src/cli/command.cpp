#include "cli/command.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace posthorn::cli {

std::unique_ptr<CLI::App> make_app(std::string_view name, std::string description, std::string footer) {
    auto app = std::make_unique<CLI::App>(std::move(description), fmt::format("posthorn {}", name));
    app->footer(std::move(footer));
    app->get_formatter()->column_width(34);
    return app;
}

std::optional<int> parse_arguments(CLI::App& app, int argc, char** argv) {
    try {
        app.parse(argc, argv);
        return std::nullopt;
    } catch (const CLI::CallForHelp&) {
        fmt::print("{}", app.help());
        return exit_ok;
    } catch (const CLI::ParseError& error) {
        fmt::print(stderr, "{}: {}\n  {} --help shows how it is used.\n", app.get_name(), error.what(),
                   app.get_name());
        return exit_usage;
    }
}

}  // namespace posthorn::cli
