#include "fault/service.hpp"

#include <fmt/format.h>
#include <fstream>
#include <signal.h>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "fault/surroundings.hpp"
#include "support/places.hpp"

namespace posthorn::fault {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

namespace {
constexpr std::chrono::seconds before_main{2};   // until it handles SIGTERM
constexpr std::chrono::seconds longest_end{60};  // of a clean end, also without a database

SteadyTime now() { return std::chrono::steady_clock::now(); }

int open_descriptors(pid_t process) {
    int count = 0;
    std::error_code error;
    for (fs::directory_iterator at(fmt::format("/proc/{}/fd", process), error), end; !error && at != end;
         at.increment(error))
        ++count;
    return count;
}
}  // namespace

Service::Service(Options options, FaultLog& log, std::uint64_t seed)
    : options_(std::move(options)), log_(log), random_(seed) {}

Service::~Service() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
}

std::vector<std::string> Service::command_line() const {
    auto line = options_.prefix;
    if (options_.own_host_name)
        for (const auto& word :
             {find_program("unshare").string(), std::string("--uts"), std::string("/bin/sh"),
              std::string("-c"), std::string(R"(hostname "$0" && exec "$@")"), options_.name})
            line.push_back(word);
    line.push_back(find_program("env").string());
    for (const auto& [name, value] : options_.environment) line.push_back(fmt::format("{}={}", name, value));
    line.push_back(test::posthorn_program().string());
    line.emplace_back("serve");
    return line;
}

void Service::launch() {
    auto line = command_line();
    const fs::path program = line.front();
    line.erase(line.begin());
    pid_ =
        launch_into(options_.log,
                    {.program = program, .arguments = std::move(line), .user = {}, .dies_with_parent = true});
    launched_at_ = now();
    killed_ = stalled_ = false;
    terminated_at_.reset();
}

void Service::ended(int status) {
    pid_ = -1;
    start_at_ = now() + milliseconds(100 + random_.next() % 2'900);
    const bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0 && terminated_at_;
    const bool early = WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM && terminated_at_ &&
                       *terminated_at_ - launched_at_ < before_main;
    if (killed_ || clean || early) return;
    const auto how = WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status))
                                         : fmt::format("status {}", WEXITSTATUS(status));
    deaths_.push_back(
        {fmt::format("{} ended with {}{}", name(), how, terminated_at_ ? " after SIGTERM" : ""), now()});
    log_.tell(deaths_.back().what);
}

void Service::supervise() {
    int status = 0;
    look_at_memory();
    if (pid_ >= 0 && waitpid(pid_, &status, WNOHANG) == pid_) ended(status);
    if (pid_ < 0 && !stopping_ && now() >= start_at_) launch();
    if (pid_ >= 0 && terminated_at_ && !stalled_ && now() - *terminated_at_ > longest_end) {
        deaths_.push_back({name() + " does not end", now()});
        kill();
    }
}

void Service::look_at_memory() {
    if (pid_ < 0) return;
    std::ifstream status(fmt::format("/proc/{}/status", pid_));
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmHWM:"))
            peak_kilobytes_ = std::max(peak_kilobytes_, std::stol(line.substr(6)));
}

long Service::peak_memory_kilobytes() {
    look_at_memory();
    return peak_kilobytes_;
}

void Service::kill() {
    killed_ = true;
    if (pid_ >= 0) ::kill(pid_, SIGKILL);
}

void Service::terminate() {
    terminated_at_ = now();
    if (pid_ >= 0) ::kill(pid_, SIGTERM);
}

void Service::stall(bool stopped) {
    stalled_ = stopped;
    if (pid_ >= 0) ::kill(pid_, stopped ? SIGSTOP : SIGCONT);
}

void Service::limit_descriptors(std::optional<int> more) {
    if (pid_ < 0) return;
    rlimit limit{};
    if (prlimit(pid_, RLIMIT_NOFILE, nullptr, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    if (more) limit.rlim_cur = static_cast<rlim_t>(open_descriptors(pid_) + *more);
    prlimit(pid_, RLIMIT_NOFILE, &limit, nullptr);
}

bool Service::stop(std::chrono::seconds limit) {
    stopping_ = true;
    if (pid_ < 0) return true;
    terminate();
    const auto deadline = now() + limit;
    while (pid_ >= 0 && now() < deadline) {
        supervise();
        std::this_thread::sleep_for(milliseconds(20));
    }
    return pid_ < 0 && (deaths_.empty() || deaths_.back().at < *terminated_at_);
}

}  // namespace posthorn::fault
