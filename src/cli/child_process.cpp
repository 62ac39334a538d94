#include "cli/child_process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <fcntl.h>
#include <fmt/format.h>
#include <mutex>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

#include "config/resolve.hpp"

namespace posthorn::cli {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {
constexpr milliseconds poll_interval{5};
constexpr milliseconds output_grace{1'000};  // for what is still in the pipes when it has ended

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

class Descriptor {
public:
    Descriptor() = default;
    Descriptor(int number, const char* what) : number_(number) {
        if (number < 0) fail(what);
    }
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~Descriptor() { reset(); }

    int get() const { return number_; }
    void reset() {
        if (number_ >= 0) close(number_);
        number_ = -1;
    }

private:
    int number_ = -1;
};

struct Pipe {
    Descriptor read_end, write_end;
};

Pipe make_pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe2");
    return {{ends[0], "pipe2"}, {ends[1], "pipe2"}};
}

// A file in memory: however long the input is, nobody has to write it while the child reads.
Descriptor input_of(const std::string& text) {
    Descriptor file(memfd_create("input", MFD_CLOEXEC), "memfd_create");
    for (std::size_t at = 0; at < text.size();) {
        const auto count = write(file.get(), text.data() + at, text.size() - at);
        if (count < 0) fail("write");
        at += static_cast<std::size_t>(count);
    }
    if (lseek(file.get(), 0, SEEK_SET) < 0) fail("lseek");
    return file;
}

std::vector<std::string> environment_of(const std::map<std::string, std::string>& added) {
    auto all = config::environment_of_process();
    std::erase_if(all, [](const auto& entry) { return entry.first.starts_with("POSTHORN_"); });
    for (const auto& [name, value] : added) all.insert_or_assign(name, value);
    std::vector<std::string> lines;
    for (const auto& [name, value] : all) lines.push_back(fmt::format("{}={}", name, value));
    return lines;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (auto& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
}

struct Prepared {
    std::vector<char*> arguments, environment;
    int input, output, errors;
    pid_t parent;
};

// The child between fork and exec: other threads of the parent may have held any lock at the fork, so only
// what POSIX calls async-signal-safe is allowed, and nothing is allocated.
[[noreturn]] void become_program(const Prepared& prepared) {
    setpgid(0, 0);
    if (dup2(prepared.input, STDIN_FILENO) < 0 || dup2(prepared.output, STDOUT_FILENO) < 0 ||
        dup2(prepared.errors, STDERR_FILENO) < 0)
        _exit(127);
    // A listening socket that a service inherits would outlive us and swallow connections.
    close_range(STDERR_FILENO + 1, ~0U, 0);
    struct sigaction standard{};
    standard.sa_handler = SIG_DFL;
    for (int number = 1; number < SIGRTMIN; ++number) sigaction(number, &standard, nullptr);
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, nullptr);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != prepared.parent) _exit(127);
    execve(prepared.arguments.front(), prepared.arguments.data(), prepared.environment.data());
    constexpr std::string_view message = "cannot execute the program\n";
    [[maybe_unused]] const auto written = write(STDERR_FILENO, message.data(), message.size());
    _exit(127);
}

pid_t launch(const ChildProcess::Options& options, int output, int errors) {
    auto environment = environment_of(options.environment);
    std::vector<std::string> arguments{options.program.string()};
    arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
    const auto input = input_of(options.input);
    const Prepared prepared{
        pointers_to(arguments), pointers_to(environment), input.get(), output, errors, getpid()};
    const pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) become_program(prepared);
    return child;
}

int status_of(int wait_status) {
    return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}
}  // namespace

struct ChildProcess::Impl {
    Options options;
    pid_t pid = -1;
    std::optional<int> status;  // once it was waited for

    Pipe output_pipe = make_pipe(), error_pipe = make_pipe();
    Descriptor stop_reading{eventfd(0, EFD_CLOEXEC), "eventfd"};
    std::mutex mutex;
    std::condition_variable changed;
    std::string output, errors;                   // guarded by mutex
    bool output_open = true, errors_open = true;  // guarded by mutex
    std::thread reader;

    void read_all();
    bool read_some(int descriptor, std::string& text);
    bool all_read() const { return !output_open && !errors_open; }
};

bool ChildProcess::Impl::read_some(int descriptor, std::string& text) {
    std::array<char, 16384> buffer{};
    const auto count = read(descriptor, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) return true;
    if (count <= 0) return false;
    const std::lock_guard lock(mutex);
    text.append(buffer.data(), static_cast<std::size_t>(count));
    if (text.size() > output_limit_bytes) text.erase(0, text.size() - output_limit_bytes / 2);
    changed.notify_all();
    return true;
}

void ChildProcess::Impl::read_all() {
    std::array<pollfd, 3> watched{{{output_pipe.read_end.get(), POLLIN, 0},
                                   {error_pipe.read_end.get(), POLLIN, 0},
                                   {stop_reading.get(), POLLIN, 0}}};
    while (watched[0].fd >= 0 || watched[1].fd >= 0) {
        if (poll(watched.data(), watched.size(), -1) < 0) {
            if (errno == EINTR) continue;
            break;
        }
        if (watched[2].revents != 0) break;
        if (watched[0].revents != 0 && !read_some(watched[0].fd, output)) watched[0].fd = -1;
        if (watched[1].revents != 0 && !read_some(watched[1].fd, errors)) watched[1].fd = -1;
        const std::lock_guard lock(mutex);
        output_open = watched[0].fd >= 0;
        errors_open = watched[1].fd >= 0;
        changed.notify_all();
    }
}

ChildProcess::ChildProcess(Options options) : impl_(std::make_unique<Impl>()) {
    impl_->options = std::move(options);
    impl_->pid =
        launch(impl_->options, impl_->output_pipe.write_end.get(), impl_->error_pipe.write_end.get());
    impl_->output_pipe.write_end.reset();
    impl_->error_pipe.write_end.reset();
    impl_->reader = std::thread([impl = impl_.get()] { impl->read_all(); });
}

ChildProcess::~ChildProcess() {
    stop();
    // A process that it left behind may still hold the pipes.
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = write(impl_->stop_reading.get(), &one, sizeof one);
    impl_->reader.join();
}

pid_t ChildProcess::pid() const { return impl_->pid; }

void ChildProcess::send_signal(int number) {
    if (!wait(milliseconds(0))) kill(impl_->pid, number);
}

std::optional<int> ChildProcess::wait(milliseconds limit) {
    const auto deadline = steady_clock::now() + limit;
    while (!impl_->status) {
        int status = 0;
        const pid_t ended = waitpid(impl_->pid, &status, WNOHANG);
        if (ended == impl_->pid) {
            impl_->status = status_of(status);
            std::unique_lock lock(impl_->mutex);
            impl_->changed.wait_for(lock, output_grace, [this] { return impl_->all_read(); });
        } else if (steady_clock::now() >= deadline) {
            return std::nullopt;
        } else {
            std::this_thread::sleep_for(poll_interval);
        }
    }
    return impl_->status;
}

int ChildProcess::stop() {
    send_signal(SIGTERM);
    if (const auto status = wait(impl_->options.stop_limit)) return *status;
    send_signal(SIGKILL);
    while (true)
        if (const auto status = wait(milliseconds(1'000))) return *status;
}

std::string ChildProcess::output() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->output;
}

std::string ChildProcess::errors() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->errors;
}

bool ChildProcess::wait_for_output(std::string_view text, milliseconds limit) const {
    std::unique_lock lock(impl_->mutex);
    const auto found = [&] { return impl_->output.find(text) != std::string::npos; };
    impl_->changed.wait_for(lock, limit, [&] { return found() || !impl_->output_open; });
    return found();
}

}  // namespace posthorn::cli
