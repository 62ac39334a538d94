#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fault/faults.hpp"
#include "store/child_process.hpp"

namespace posthorn::fault {

// A program of the system by its name; empty if it is not installed.
std::filesystem::path find_program(const std::string& name);
// Runs it to its end; false if it failed.
bool run_program(const std::string& name, std::vector<std::string> arguments);

// A server or service that ends with the thread that starts it; its output is appended to the file.
pid_t launch_into(const std::filesystem::path& log, const store::Command& command);

// What this machine and user allow: a mount namespace and a network of the rig's own, which the kernel
// removes with its last process.
class Surroundings {
public:
    // Before the first thread. What is refused is left out.
    static Surroundings enter();

    bool mounts() const { return mounts_; }
    bool network() const { return network_; }
    bool host_names() const { return mounts_; }

    // Kinds that can not be tried here, and why.
    const std::map<Kind, std::string>& not_tried() const { return not_tried_; }

private:
    bool mounts_ = false, network_ = false;
    std::map<Kind, std::string> not_tried_;
};

// A small filesystem of its own where mounts are allowed, else a plain directory. Unmounted at the end.
class SmallDisk {
public:
    SmallDisk(std::filesystem::path path, int megabytes, bool mount,
              const std::optional<store::UnixUser>& owner);
    ~SmallDisk();
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;

    const std::filesystem::path& path() const { return path_; }
    bool fill();  // no page more is given
    void free();  // again as large as it was

private:
    bool set_size(std::uint64_t bytes) const;

    std::filesystem::path path_;
    std::uint64_t bytes_;
    bool mounted_ = false;
};

// A second network with two ways into the rig's: one to the database, which can be cut, and one to the
// receiver.
class SecondNetwork {
public:
    static constexpr const char* database_address = "10.77.1.1";
    static constexpr const char* receiver_address = "10.77.2.1";

    SecondNetwork();  // throws std::runtime_error
    ~SecondNetwork();
    SecondNetwork(const SecondNetwork&) = delete;
    SecondNetwork& operator=(const SecondNetwork&) = delete;

    // What a program is started with to be in there.
    std::vector<std::string> prefix() const;
    void cut(bool down) const;  // packets to and from the database vanish

private:
    bool add_way(const std::string& name, const std::string& subnet) const;
    bool inside(std::vector<std::string> arguments) const;

    pid_t holder_ = -1;
};

}  // namespace posthorn::fault
