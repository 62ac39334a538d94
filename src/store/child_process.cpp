#include "store/child_process.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

namespace posthorn::store {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {
constexpr std::size_t output_limit_bytes = 64 * 1024;

UnixUser with_groups(const passwd& entry) {
    UnixUser user{entry.pw_name, entry.pw_uid, entry.pw_gid, {}};
    int count = 64;
    user.groups.resize(static_cast<std::size_t>(count));
    if (getgrouplist(entry.pw_name, entry.pw_gid, user.groups.data(), &count) < 0) {
        user.groups.resize(static_cast<std::size_t>(count));
        getgrouplist(entry.pw_name, entry.pw_gid, user.groups.data(), &count);
    }
    user.groups.resize(static_cast<std::size_t>(count));
    return user;
}

// From here to become_program: the child between fork and exec. Other threads of the parent may have held any
// lock at the fork, so only what POSIX calls async-signal-safe is allowed; everything is allocated before.
bool drop_privileges(const UnixUser& user) {
    return setgroups(user.groups.size(), user.groups.data()) == 0 &&
           setresgid(user.gid, user.gid, user.gid) == 0 && setresuid(user.uid, user.uid, user.uid) == 0;
}

void restore_signals() {
    struct sigaction standard{};
    standard.sa_handler = SIG_DFL;
    for (int number = 1; number < SIGRTMIN; ++number) sigaction(number, &standard, nullptr);
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void fail_child(std::string_view message) {
    [[maybe_unused]] const auto written = write(STDERR_FILENO, message.data(), message.size());
    _exit(127);
}

struct Prepared {
    std::string program;
    std::vector<char*> arguments, environment;
};

[[noreturn]] void become_program(const Command& command, const Prepared& prepared, int output, pid_t parent) {
    setsid();
    const int input = open("/dev/null", O_RDONLY);
    if (input < 0 || dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0 ||
        dup2(input, STDIN_FILENO) < 0)
        _exit(127);
    // A listening socket that a server inherits would outlive the service and swallow its connections.
    close_range(3, ~0U, 0);
    restore_signals();
    umask(077);
    if (chdir("/") != 0) fail_child("cannot enter /\n");
    if (command.user && !drop_privileges(*command.user)) fail_child("cannot change to the server's user\n");
    if (command.dies_with_parent) {
        prctl(PR_SET_PDEATHSIG, SIGQUIT);
        if (getppid() != parent) _exit(127);
    }
    execve(prepared.program.c_str(), prepared.arguments.data(), prepared.environment.data());
    fail_child("cannot execute the program\n");
}
}  // namespace

std::optional<UnixUser> UnixUser::named(const std::string& name) {
    passwd entry{}, *found = nullptr;
    std::array<char, 16384> buffer{};
    getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (!found) return std::nullopt;
    return with_groups(entry);
}

std::optional<UnixUser> UnixUser::of(uid_t uid) {
    passwd entry{}, *found = nullptr;
    std::array<char, 16384> buffer{};
    getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
    if (!found) return std::nullopt;
    return with_groups(entry);
}

pid_t launch(const Command& command, int output) {
    std::vector<std::string> environment{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"};
    std::vector<std::string> arguments{command.program.string()};
    arguments.insert(arguments.end(), command.arguments.begin(), command.arguments.end());
    Prepared prepared{command.program.string(), {}, {}};
    for (auto& text : arguments) prepared.arguments.push_back(text.data());
    for (auto& text : environment) prepared.environment.push_back(text.data());
    prepared.arguments.push_back(nullptr);
    prepared.environment.push_back(nullptr);
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child < 0)
        throw std::system_error(errno, std::generic_category(), "cannot start " + prepared.program);
    if (child == 0) become_program(command, prepared, output, parent);
    return child;
}

Finished run_to_end(const Command& command) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0)
        throw std::system_error(errno, std::generic_category(), "cannot make a pipe");
    pid_t child = -1;
    try {
        child = launch(command, ends[1]);
    } catch (...) {
        close(ends[0]);
        close(ends[1]);
        throw;
    }
    close(ends[1]);
    Finished result;
    std::array<char, 4096> buffer{};
    while (true) {
        const auto count = read(ends[0], buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        const auto room = output_limit_bytes - result.output.size();
        result.output.append(buffer.data(), std::min(static_cast<std::size_t>(count), room));
    }
    close(ends[0]);
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    result.ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return result;
}

bool has_ended(pid_t child) {
    int status = 0;
    const pid_t reaped = waitpid(child, &status, WNOHANG);
    return reaped == child || (reaped < 0 && errno == ECHILD);
}

bool ends_within(pid_t child, milliseconds limit) {
    const auto deadline = steady_clock::now() + limit;
    while (!has_ended(child)) {
        if (steady_clock::now() >= deadline) return false;
        std::this_thread::sleep_for(milliseconds(10));
    }
    return true;
}

std::optional<std::filesystem::path> first_closed_directory(const std::filesystem::path& path,
                                                            const UnixUser& user) {
    std::vector<std::string> steps;
    std::filesystem::path step;
    for (const auto& part : path) {
        step /= part;
        steps.push_back(step.string());
    }
    const pid_t child = fork();
    if (child < 0) throw std::system_error(errno, std::generic_category(), "cannot fork");
    if (child == 0) {
        if (!drop_privileges(user)) _exit(0);
        for (std::size_t i = 0; i < steps.size() && i < 254; ++i)
            if (access(steps[i].c_str(), X_OK) != 0) _exit(static_cast<int>(i) + 1);
        _exit(0);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    const int failed = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    if (failed == 0) return std::nullopt;
    return steps[static_cast<std::size_t>(failed) - 1];
}

}  // namespace posthorn::store
