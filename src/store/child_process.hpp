#pragma once
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

// Programs of the PostgreSQL server, run without a shell, with an environment of their own (no PG*, no
// POSTHORN_*), in a session of their own (a Ctrl-C on the service's terminal does not reach them), with no
// descriptor of ours but their output.
namespace posthorn::store {

struct UnixUser {
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups;

    static std::optional<UnixUser> named(const std::string& name);
    static std::optional<UnixUser> of(uid_t uid);
};

struct Command {
    std::filesystem::path program;
    std::vector<std::string> arguments;  // without the program's name
    std::optional<UnixUser> user;        // none: as ourselves; needs root
    bool dies_with_parent = false;       // SIGQUIT when the thread that started it ends, however it ends
};

// Starts the program with `output` as stdout and stderr; the caller waits for it. Throws std::system_error if
// it can not fork. A program that can not be executed ends with status 127.
pid_t launch(const Command& command, int output);

struct Finished {
    bool ok = false;     // exited with status 0
    std::string output;  // stdout and stderr, the first 64 KiB
};
Finished run_to_end(const Command& command);

// True when the child has ended (and is reaped) or is no child of ours.
bool has_ended(pid_t child);
bool ends_within(pid_t child, std::chrono::milliseconds limit);

// The first directory on the way to `path` (absolute, itself included) that the user may not enter.
std::optional<std::filesystem::path> first_closed_directory(const std::filesystem::path& path,
                                                            const UnixUser& user);

}  // namespace posthorn::store
