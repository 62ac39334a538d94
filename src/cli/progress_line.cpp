#include "cli/progress_line.hpp"

#include <cstdio>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace posthorn::cli {

namespace {
constexpr std::chrono::seconds plain_interval{2};

// A line that wraps could not be written over.
std::string fitting(const std::string& text) {
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return text;
    return text.substr(0, size.ws_col - 1U);
}
}  // namespace

ProgressLine::ProgressLine() : terminal_(isatty(STDOUT_FILENO) != 0) {}

void ProgressLine::print(const std::string& text) {
    if (terminal_)
        fmt::print("\r\x1b[K{}", fitting(text));
    else
        fmt::print("{}\n", text);
    std::fflush(stdout);
    shown_ = text;
    printed_at_ = std::chrono::steady_clock::now();
}

void ProgressLine::show(const std::string& text) {
    pending_ = text;
    if (text == shown_) return;
    if (terminal_ || std::chrono::steady_clock::now() - printed_at_ >= plain_interval) print(text);
}

void ProgressLine::finish() {
    if (pending_ != shown_) print(pending_);
    if (terminal_ && !shown_.empty()) fmt::print("\n");
    shown_.clear();
    pending_.clear();
}

}  // namespace posthorn::cli
