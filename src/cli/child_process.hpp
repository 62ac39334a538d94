#pragma once
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace posthorn::cli {

// A program as a child: without a shell, with no descriptor of ours, in a process group of its own (a Ctrl-C
// on our terminal reaches us alone). What it writes is kept: the newest `output_limit_bytes` of either
// stream. At the end of this object it is asked to end, and then made to; when the thread that started it
// ends first, the kernel asks it (SIGTERM). Used by one thread.
class ChildProcess {
public:
    static constexpr std::size_t output_limit_bytes = 4 * 1024 * 1024;

    struct Options {
        std::filesystem::path program;
        std::vector<std::string> arguments;              // without the program's name
        std::map<std::string, std::string> environment;  // added to ours, of which no POSTHORN_* is passed on
        std::string input;                               // what it reads on stdin
        std::chrono::milliseconds stop_limit{
            30'000};  // from SIGTERM to SIGKILL, for stop() and the destructor
    };

    // Throws std::system_error if it can not be started; a program that can not be executed ends with status
    // 127.
    explicit ChildProcess(Options options);
    ~ChildProcess();
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    pid_t pid() const;
    // Nothing happens when it has been waited for: its pid may be another's by now.
    void send_signal(int number);
    // The exit status, 128 + n after signal n; nothing while it still runs at the limit.
    std::optional<int> wait(std::chrono::milliseconds limit);
    // SIGTERM, then SIGKILL; the status.
    int stop();

    std::string output() const;  // stdout so far; all of it after wait()
    std::string errors() const;  // stderr
    // True when its stdout holds the text; false at the limit, or when stdout was closed without it.
    bool wait_for_output(std::string_view text, std::chrono::milliseconds limit) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace posthorn::cli
