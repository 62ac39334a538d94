#include "fault/surroundings.hpp"

#include <array>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <sched.h>
#include <signal.h>
#include <stdexcept>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace posthorn::fault {

namespace fs = std::filesystem;

fs::path find_program(const std::string& name) {
    for (const auto* directory : {"/usr/sbin", "/usr/bin", "/sbin", "/bin"}) {
        auto path = fs::path(directory) / name;
        if (access(path.c_str(), X_OK) == 0) return path;
    }
    return {};
}

bool run_program(const std::string& name, std::vector<std::string> arguments) {
    const auto path = find_program(name);
    return !path.empty() &&
           store::run_to_end({.program = path, .arguments = std::move(arguments), .user = {}}).ok;
}

pid_t launch_into(const fs::path& log, const store::Command& command) {
    int output = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (output < 0) output = open("/dev/null", O_WRONLY | O_CLOEXEC);  // the logs' disk is full
    const auto pid = store::launch(command, output);
    close(output);
    return pid;
}

// ---- what is allowed

namespace {

bool enter_mount_namespace() {
    constexpr const char* trial = "/mnt";
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           mount("tmpfs", trial, "tmpfs", 0, "size=1m") == 0 && umount2(trial, MNT_DETACH) == 0;
}

// Asked in a child: an interface that can not be set up would leave the rig without its loopback.
bool network_is_allowed() {
    if (find_program("ip").empty() || find_program("nsenter").empty()) return false;
    const pid_t child = fork();
    if (child == 0) {
        const bool allowed = unshare(CLONE_NEWNET) == 0 && run_program("ip", {"link", "set", "lo", "up"}) &&
                             run_program("ip", {"link", "add", "one", "type", "veth", "peer", "name", "two"});
        _exit(allowed ? 0 : 1);
    }
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

}  // namespace

Surroundings Surroundings::enter() {
    Surroundings found;
    found.mounts_ = geteuid() == 0 && enter_mount_namespace();
    found.network_ = found.mounts_ && network_is_allowed() && unshare(CLONE_NEWNET) == 0 &&
                     run_program("ip", {"link", "set", "lo", "up"});
    if (!found.mounts_)
        for (const auto kind : {Kind::fill_data, Kind::fill_wal, Kind::fill_logs})
            found.not_tried_[kind] = "mounting is not allowed";
    if (!found.network_)
        found.not_tried_[Kind::cut_link] = "a network namespace is not allowed, or iproute2 is not installed";
    return found;
}

// ---- disks

namespace {
constexpr std::uint64_t mebibyte = 1024 * 1024;
}

SmallDisk::SmallDisk(fs::path path, int megabytes, bool mount_it, const std::optional<store::UnixUser>& owner)
    : path_(std::move(path)), bytes_(static_cast<std::uint64_t>(megabytes) * mebibyte) {
    fs::create_directories(path_);
    const auto options = fmt::format("mode=0755,size={}", bytes_);
    mounted_ = mount_it && mount("tmpfs", path_.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()) == 0;
    if (mount_it && !mounted_)
        throw std::system_error(errno, std::generic_category(), "cannot mount " + path_.string());
    if (owner && chown(path_.c_str(), owner->uid, owner->gid) != 0)
        throw std::system_error(errno, std::generic_category(), "cannot give away " + path_.string());
}

SmallDisk::~SmallDisk() {
    if (mounted_) umount2(path_.c_str(), MNT_DETACH);
}

bool SmallDisk::set_size(std::uint64_t bytes) const {
    const auto options = fmt::format("size={}", bytes);
    return mount(nullptr, path_.c_str(), nullptr, MS_REMOUNT | MS_NOSUID | MS_NODEV, options.c_str()) == 0;
}

// As a file that takes all that is left would, but without taking the machine's memory.
bool SmallDisk::fill() {
    constexpr int attempts = 20;  // more may be written between the look and the change
    for (int i = 0; mounted_ && i < attempts; ++i) {
        struct statvfs found{};
        if (statvfs(path_.c_str(), &found) != 0) return false;
        if (set_size((found.f_blocks - found.f_bfree) * found.f_frsize)) return true;
    }
    return false;
}

void SmallDisk::free() {
    if (mounted_ && !set_size(bytes_))
        throw std::system_error(errno, std::generic_category(), "cannot free " + path_.string());
}

// ---- the second network

SecondNetwork::SecondNetwork() {
    holder_ = launch_into("/dev/null", {.program = find_program("unshare"),
                                        .arguments = {"--net", "sleep", "infinity"},
                                        .user = {},
                                        .dies_with_parent = true});
    const auto network_of = [](const std::string& process) {
        std::error_code error;
        return fs::read_symlink(fmt::format("/proc/{}/ns/net", process), error);
    };
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (network_of(std::to_string(holder_)) == network_of("self")) {
        if (std::chrono::steady_clock::now() > deadline)
            throw std::runtime_error("there is no second network");
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    if (!inside({"ip", "link", "set", "lo", "up"}) || !add_way("db", "10.77.1") ||
        !add_way("hook", "10.77.2"))
        throw std::runtime_error("the second network can not be set up");
}

SecondNetwork::~SecondNetwork() {
    kill(holder_, SIGKILL);
    waitpid(holder_, nullptr, 0);
}

bool SecondNetwork::inside(std::vector<std::string> arguments) const {
    arguments.front() = find_program(arguments.front()).string();
    arguments.insert(arguments.begin(), fmt::format("--net=/proc/{}/ns/net", holder_));
    return run_program("nsenter", std::move(arguments));
}

bool SecondNetwork::add_way(const std::string& name, const std::string& subnet) const {
    const auto far = name + "-far";
    return run_program("ip", {"link", "add", name, "type", "veth", "peer", "name", far}) &&
           run_program("ip", {"link", "set", far, "netns", std::to_string(holder_)}) &&
           run_program("ip", {"addr", "add", subnet + ".1/30", "dev", name}) &&
           run_program("ip", {"link", "set", name, "up"}) &&
           inside({"ip", "addr", "add", subnet + ".2/30", "dev", far}) &&
           inside({"ip", "link", "set", far, "up"});
}

std::vector<std::string> SecondNetwork::prefix() const {
    return {find_program("nsenter").string(), fmt::format("--net=/proc/{}/ns/net", holder_)};
}

void SecondNetwork::cut(bool down) const { run_program("ip", {"link", "set", "db", down ? "down" : "up"}); }

}  // namespace posthorn::fault
