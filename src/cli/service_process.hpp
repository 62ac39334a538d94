#pragma once
#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/child_process.hpp"

namespace posthorn::cli {

// What `posthorn serve` writes on a line of its stdout, followed by its URL, once it answers requests.
inline constexpr std::string_view ready_line_start = "posthorn is ready on ";

// `posthorn serve` as a child process, ended with this object.
class ServiceProcess {
public:
    // The environment is completed as ChildProcess does it; it should name a data directory and port 0.
    ServiceProcess(std::filesystem::path program, std::map<std::string, std::string> environment,
                   std::vector<std::string> flags = {});
    ~ServiceProcess();

    // True when it answers, false if it does not yet at the limit. Throws std::runtime_error, with what it
    // logged, if it has ended.
    bool wait_until_ready(std::chrono::milliseconds limit);
    const std::string& url() const { return url_; }  // "http://127.0.0.1:49152", once it is ready

    ChildProcess& child() { return child_; }
    int stop() { return child_.stop(); }  // a clean stop; 0 is success
    void kill();  // kill -9; an embedded PostgreSQL lives on: see end_orphaned_postgres

private:
    std::filesystem::path data_dir_;  // empty: none was named
    ChildProcess child_;
    std::string url_;
    bool killed_ = false;
};

// Ends the embedded PostgreSQL that a killed service left behind in the data directory, if there is one.
// Returns when it is gone, or after 30 s.
void end_orphaned_postgres(const std::filesystem::path& data_dir);

}  // namespace posthorn::cli
