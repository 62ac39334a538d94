#include "cli/service_process.hpp"

#include <fmt/format.h>
#include <fstream>
#include <signal.h>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

namespace posthorn::cli {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

namespace {
constexpr milliseconds output_slice{50};
constexpr milliseconds orphan_limit{30'000};
constexpr milliseconds orphan_poll{20};
constexpr std::size_t log_shown_bytes = 4'000;

ChildProcess::Options options_of(fs::path program, std::map<std::string, std::string> environment,
                                 std::vector<std::string> flags) {
    ChildProcess::Options options;
    options.program = std::move(program);
    options.arguments = {"serve"};
    options.arguments.insert(options.arguments.end(), flags.begin(), flags.end());
    options.environment = std::move(environment);
    options.stop_limit = std::chrono::seconds(90);  // its own grace, and the clean stop of the database
    return options;
}

std::optional<std::string> url_in(const std::string& output) {
    auto at = output.find(ready_line_start);
    if (at == std::string::npos) return std::nullopt;
    at += ready_line_start.size();
    const auto end = output.find('\n', at);
    if (end == std::string::npos) return std::nullopt;
    return output.substr(at, end - at);
}

std::string last_part_of(const std::string& log) {
    if (log.size() <= log_shown_bytes) return log;
    return "..." + log.substr(log.size() - log_shown_bytes);
}
}  // namespace

ServiceProcess::ServiceProcess(fs::path program, std::map<std::string, std::string> environment,
                               std::vector<std::string> flags)
    : data_dir_(environment.contains("POSTHORN_DATA_DIR") ? environment.at("POSTHORN_DATA_DIR") : ""),
      child_(options_of(std::move(program), std::move(environment), std::move(flags))) {}

ServiceProcess::~ServiceProcess() {
    if (killed_) return;
    // As the destructor of the child would, but a service that had to be killed leaves its database behind.
    if (child_.stop() >= 128 && !data_dir_.empty()) end_orphaned_postgres(data_dir_);
}

bool ServiceProcess::wait_until_ready(milliseconds limit) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (true) {
        child_.wait_for_output(ready_line_start, output_slice);
        if (const auto url = url_in(child_.output())) {
            url_ = *url;
            return true;
        }
        if (const auto status = child_.wait(milliseconds(0)))
            throw std::runtime_error(fmt::format("posthorn serve ended with status {}:\n{}", *status,
                                                 last_part_of(child_.output() + child_.errors())));
        if (std::chrono::steady_clock::now() >= deadline) return false;
    }
}

void ServiceProcess::kill() {
    killed_ = true;
    child_.send_signal(SIGKILL);
    while (!child_.wait(milliseconds(1'000))) {
    }
}

void end_orphaned_postgres(const fs::path& data_dir) {
    const auto cluster = data_dir / "postgres";
    pid_t server = 0;
    std::ifstream(cluster / "postmaster.pid") >> server;
    if (server <= 1) return;
    // The file may be old and the number another's by now: a server's working directory is its cluster.
    const auto works_there = [&] {
        std::error_code failed;
        const auto directory = fs::read_symlink(fmt::format("/proc/{}/cwd", server), failed);
        return !failed && fs::equivalent(directory, cluster, failed);
    };
    const auto deadline = std::chrono::steady_clock::now() + orphan_limit;
    if (works_there()) ::kill(server, SIGQUIT);
    while (works_there() && std::chrono::steady_clock::now() < deadline)
        std::this_thread::sleep_for(orphan_poll);
}

}  // namespace posthorn::cli
