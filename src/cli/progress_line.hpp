#pragma once
#include <chrono>
#include <string>

namespace posthorn::cli {

// Progress on stdout: one line that changes on a terminal; elsewhere a line of its own for what is new, at
// most one in 2 s.
class ProgressLine {
public:
    ProgressLine();
    ~ProgressLine() { finish(); }

    void show(const std::string& text);
    void finish();  // what was shown last stays

private:
    void print(const std::string& text);

    bool terminal_;
    std::string shown_, pending_;
    std::chrono::steady_clock::time_point printed_at_{};
};

}  // namespace posthorn::cli
