#include "fault/cluster.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fstream>
#include <netinet/in.h>
#include <signal.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "support/postgres.hpp"

namespace posthorn::fault {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

namespace {

constexpr int data_megabytes = 4'096, wal_megabytes = 1'024, logs_megabytes = 256;
constexpr milliseconds retry_interval{300};  // sessions of a killed server may still hold its memory

SteadyTime now() { return std::chrono::steady_clock::now(); }

std::optional<store::UnixUser> server_user() {
    if (geteuid() != 0) return std::nullopt;
    auto user = store::UnixUser::named("postgres");
    if (!user) throw std::runtime_error("as root PostgreSQL needs another user: there is no user postgres");
    return user;
}

}  // namespace

std::uint16_t free_port() {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    const bool found = bind(socket, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
                       getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0;
    close(socket);
    if (!found) throw std::runtime_error("there is no free port");
    return ntohs(address.sin_port);
}

Cluster::Cluster(const fs::path& directory, bool mounts, bool reachable_from_second_network)
    : user_(server_user()),
      installation_(store::find_postgres(std::nullopt)),
      data_(directory / "data", data_megabytes, mounts, user_),
      wal_(directory / "wal", wal_megabytes, mounts, user_),
      logs_(directory / "logs", logs_megabytes, mounts, user_),
      cluster_(data_.path() / "cluster"),
      sockets_(directory / "sockets"),
      port_(free_port()) {
    fs::create_directories(sockets_);
    if (user_ && chown(sockets_.c_str(), user_->uid, user_->gid) != 0)
        throw std::runtime_error("cannot give away " + sockets_.string());
    make();
    configure(reachable_from_second_network);
    launch();
    if (!wait_until_ready(std::chrono::seconds(60))) throw std::runtime_error("PostgreSQL does not start");
    test::run_sql(superuser_conninfo() + " dbname=postgres", "CREATE ROLE posthorn LOGIN IN ROLE pg_monitor");
    test::run_sql(superuser_conninfo() + " dbname=postgres", "CREATE DATABASE posthorn OWNER posthorn");
}

Cluster::~Cluster() {
    if (server_ < 0) return;
    stall(false);
    kill(server_, SIGQUIT);
    if (!store::ends_within(server_, std::chrono::seconds(10))) kill(server_, SIGKILL);
}

store::Command Cluster::command(const std::string& program, std::vector<std::string> arguments) const {
    return {.program = installation_.bin / program,
            .arguments = std::move(arguments),
            .user = user_,
            .dies_with_parent = true};
}

// Segments of 1 MB: a full disk is met soon.
void Cluster::make() {
    const auto made = store::run_to_end(
        command("initdb", {"--pgdata=" + cluster_.string(), "--waldir=" + (wal_.path() / "wal").string(),
                           "--username=postgres", "--encoding=UTF8", "--locale=C", "--data-checksums",
                           "--wal-segsize=1", "--auth=trust", "--no-sync"}));
    if (!made.ok) throw std::runtime_error("initdb failed: " + made.output);
}

void Cluster::configure(bool reachable_from_second_network) const {
    std::ofstream settings(cluster_ / "postgresql.conf", std::ios::app);
    settings << fmt::format(
        "listen_addresses = '{}'\nport = {}\nunix_socket_directories = '{}'\nmax_connections = {}\n"
        "superuser_reserved_connections = 6\nfsync = on\nfull_page_writes = on\nsynchronous_commit = on\n"
        "max_wal_size = 64MB\nmin_wal_size = 2MB\nshared_buffers = 128MB\njit = off\n"
        "autovacuum_naptime = 10s\nlog_line_prefix = '%m [%p] %a '\nlog_parameter_max_length = 0\n"
        "log_parameter_max_length_on_error = 0\n",
        // By name the second network's address could not be listened on while the link is down.
        reachable_from_second_network ? "*" : "127.0.0.1", port_, sockets_.string(), most_connections);
    std::ofstream(cluster_ / "pg_hba.conf", std::ios::app) << "host all all 10.77.1.0/30 trust\n";
}

std::string Cluster::conninfo(const std::string& host) const {
    return fmt::format("host={} port={} dbname=posthorn user=posthorn sslmode=disable", host, port_);
}

std::string Cluster::superuser_conninfo() const {
    return fmt::format(
        "host={} port={} user=postgres dbname=posthorn connect_timeout=2 options='-c statement_timeout=20s'",
        sockets_.string(), port_);
}

void Cluster::launch() {
    server_ = launch_into(logs_.path() / "postgres.log", command("postgres", {"-D", cluster_.string()}));
    restart_at_ = now() + retry_interval;
    ++starts_;
}

void Cluster::supervise() {
    if (server_ >= 0 && store::has_ended(server_)) server_ = -1;
    if (server_ < 0 && now() >= restart_at_) launch();
}

bool Cluster::ready() const {
    constexpr int status_line = 8;
    std::ifstream file(cluster_ / "postmaster.pid");
    std::string line;
    for (int number = 1; std::getline(file, line); ++number) {
        if (number == 1 && line != std::to_string(server_)) return false;
        if (number == status_line) return !stalled_ && line.starts_with("ready");
    }
    return false;
}

bool Cluster::wait_until_ready(std::chrono::seconds limit) {
    const auto deadline = now() + limit;
    while (!ready()) {
        if (now() > deadline) return false;
        supervise();
        std::this_thread::sleep_for(milliseconds(20));
    }
    return true;
}

void Cluster::send_signal(int number, milliseconds restart_after) {
    restart_at_ = now() + restart_after;
    if (server_ >= 0) kill(server_, number);
}

std::vector<pid_t> Cluster::processes() const {
    std::vector<pid_t> all{server_};
    std::ifstream children(fmt::format("/proc/{0}/task/{0}/children", server_));
    for (pid_t child = 0; children >> child;) all.push_back(child);
    return all;
}

void Cluster::stall(bool stopped) {
    if (server_ < 0) return;
    for (const auto process : processes()) kill(process, stopped ? SIGSTOP : SIGCONT);
    stalled_ = stopped;
}

bool Cluster::kill_a_session(std::uint64_t draw) {
    const auto found = test::run_sql(
        superuser_conninfo(),
        fmt::format(
            "SELECT pid FROM pg_stat_activity WHERE usename = 'posthorn' ORDER BY (pid::int8 * {}) % 997 "
            "LIMIT 1",
            draw % 997 + 1));
    return !found.empty() && kill(std::stoi(found), SIGKILL) == 0;
}

void Cluster::stop() {
    const auto server = server_;
    server_ = -1;
    if (server < 0) return;
    kill(server, SIGINT);
    if (store::ends_within(server, std::chrono::seconds(30))) return;
    kill(server, SIGKILL);
    store::ends_within(server, std::chrono::seconds(10));
}

}  // namespace posthorn::fault
