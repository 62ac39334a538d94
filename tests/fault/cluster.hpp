#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "fault/surroundings.hpp"
#include "store/postgres_installation.hpp"

namespace posthorn::fault {

// A port of loopback that is free now.
std::uint16_t free_port();

// The rig's own PostgreSQL, durable, its data, WAL and log on disks of their own; started again when it has
// ended. Used by one thread.
class Cluster {
public:
    // Throws std::runtime_error.
    Cluster(const std::filesystem::path& directory, bool mounts, bool reachable_from_second_network);
    ~Cluster();

    std::string conninfo(const std::string& host = "127.0.0.1") const;  // as the services reach it
    // As superuser, through the unix socket; gives up after 2 s.
    std::string superuser_conninfo() const;
    SmallDisk& data() { return data_; }
    SmallDisk& wal() { return wal_; }
    SmallDisk& logs() { return logs_; }

    // Starts it if it has ended, or not yet succeeded, and `restart_after` is over.
    void supervise();
    int starts() const { return starts_; }
    bool ready() const;  // takes sessions, as its own status says
    bool wait_until_ready(std::chrono::seconds limit);

    void send_signal(int number, std::chrono::milliseconds restart_after);
    void stall(bool stopped);  // all of its processes
    // A session of a service; false if there is none.
    bool kill_a_session(std::uint64_t draw);
    void stop();  // cleanly, at the end

    static constexpr int most_connections = 140;

private:
    void make();
    void configure(bool reachable_from_second_network) const;
    void launch();
    std::vector<pid_t> processes() const;
    store::Command command(const std::string& program, std::vector<std::string> arguments) const;

    const std::optional<store::UnixUser> user_;
    const store::PostgresInstallation installation_;
    SmallDisk data_, wal_, logs_;
    const std::filesystem::path cluster_, sockets_;
    const std::uint16_t port_;
    pid_t server_ = -1;
    int starts_ = 0;
    bool stalled_ = false;
    SteadyTime restart_at_{};
};

}  // namespace posthorn::fault
