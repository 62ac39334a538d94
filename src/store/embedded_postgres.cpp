#include "store/embedded_postgres.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <libpq-fe.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sstream>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "store/child_process.hpp"
#include "store/data_directory.hpp"
#include "store/postgres_configuration.hpp"
#include "store/postgres_installation.hpp"

namespace posthorn::store {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

namespace {
constexpr milliseconds poll_interval{20};
constexpr seconds forced_stop_limit{10};
constexpr seconds orphans_limit{15};  // sessions of a killed server end when their statement does
constexpr std::chrono::hours log_cleaning_interval{1};

std::string tail_of(const fs::path& path, std::size_t limit_bytes = 2000) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file) return {};
    const auto size = static_cast<std::size_t>(file.tellg());
    const auto start = size > limit_bytes ? size - limit_bytes : 0;
    std::string text(size - start, '\0');
    file.seekg(static_cast<std::streamoff>(start));
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    return text;
}

std::string newest_log(const fs::path& directory) {
    fs::path newest;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory, error))
        newest = std::max(newest, entry.path());
    return newest.empty() ? "" : tail_of(newest);
}

// What pg_ctl waits for too (LOCK_FILE_LINE_PM_STATUS); trying to connect would fill the log during a long
// recovery.
bool reports_ready(const fs::path& cluster, pid_t server) {
    constexpr int status_line = 8;
    std::ifstream file(cluster / "postmaster.pid");
    std::string line;
    for (int number = 1; std::getline(file, line); ++number) {
        if (number == 1 && line != std::to_string(server)) return false;
        if (number == status_line) return line.starts_with("ready");
    }
    return false;
}

std::optional<int> cluster_major(const fs::path& cluster) {
    std::ifstream file(cluster / "PG_VERSION");
    int major = 0;
    if (!(file >> major)) return std::nullopt;
    return major;
}

// The main process of a server on this cluster: its working directory is the cluster. A process id alone may
// have been given to somebody else since.
enum class Owner { cluster_server, somebody_else, unknown };
Owner owner_of(pid_t pid, const fs::path& cluster) {
    struct stat working{}, wanted{};
    const auto process = fs::path(fmt::format("/proc/{}", pid));
    if (!fs::exists("/proc/self/cwd")) return Owner::unknown;
    std::string name;
    std::getline(std::ifstream(process / "comm") >> std::ws, name);
    const bool same = stat((process / "cwd").c_str(), &working) == 0 && stat(cluster.c_str(), &wanted) == 0 &&
                      working.st_dev == wanted.st_dev && working.st_ino == wanted.st_ino;
    return same && name == "postgres" ? Owner::cluster_server : Owner::somebody_else;
}

pid_t parent_of(pid_t pid) {
    std::ifstream file(fmt::format("/proc/{}/stat", pid));
    std::string text;
    std::getline(file, text);
    const auto end_of_name = text.rfind(')');
    char state = 0;
    pid_t parent = 0;
    if (end_of_name != std::string::npos) std::istringstream(text.substr(end_of_name + 1)) >> state >> parent;
    return parent;
}

// Somebody may have removed postmaster.pid: then the server is found by where it works.
pid_t find_server(const fs::path& cluster) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator("/proc", error)) {
        const auto name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        const auto pid = static_cast<pid_t>(std::stol(name));
        const auto is_at_work = [&](pid_t one) { return owner_of(one, cluster) == Owner::cluster_server; };
        if (is_at_work(pid) && !is_at_work(parent_of(pid))) return pid;
    }
    return 0;
}

bool server_leaves_within(pid_t pid, const fs::path& cluster, milliseconds limit) {
    const auto deadline = steady_clock::now() + limit;
    while (!has_ended(pid) || owner_of(pid, cluster) == Owner::cluster_server) {
        if (kill(pid, 0) != 0 && errno == ESRCH) return true;
        if (steady_clock::now() >= deadline) return false;
        std::this_thread::sleep_for(poll_interval);
    }
    return true;
}

// What a service that was killed left running is stopped. A stale postmaster.pid is PostgreSQL's own to
// judge, except where its process id belongs to an unrelated process now: then PostgreSQL would refuse to
// start.
void end_leftover_server(const fs::path& cluster, seconds limit) {
    pid_t pid = 0;
    if (!(std::ifstream(cluster / "postmaster.pid") >> pid)) pid = find_server(cluster);
    if (pid <= 1 || kill(pid, 0) != 0) return;
    const auto owner = owner_of(pid, cluster);
    if (owner == Owner::somebody_else) {
        std::error_code ignored;  // then PostgreSQL reports what is wrong with the file
        fs::remove(cluster / "postmaster.pid", ignored);
    }
    if (owner != Owner::cluster_server) return;
    spdlog::info("stopping the PostgreSQL server (process {}) that an earlier posthorn left running", pid);
    kill(pid, SIGINT);
    if (server_leaves_within(pid, cluster, limit)) return;
    kill(pid, SIGQUIT);
    if (server_leaves_within(pid, cluster, forced_stop_limit)) return;
    throw EmbeddedPostgresError(fmt::format(
        "the PostgreSQL server (process {}) on {} does not end; stop it by hand", pid, cluster.string()));
}

struct Session {
    explicit Session(const std::string& conninfo) : connection(PQconnectdb(conninfo.c_str())) {
        if (PQstatus(connection) != CONNECTION_OK) {
            const std::string message = PQerrorMessage(connection);
            PQfinish(connection);
            throw EmbeddedPostgresError("cannot connect to the embedded PostgreSQL: " + message);
        }
        PQsetNoticeProcessor(connection, [](void*, const char*) {}, nullptr);
    }
    ~Session() { PQfinish(connection); }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    bool returns_a_row(const char* sql) const {
        PGresult* result = PQexec(connection, sql);
        const auto status = PQresultStatus(result);
        const bool row = status == PGRES_TUPLES_OK && PQntuples(result) > 0;
        PQclear(result);
        if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) return row;
        throw EmbeddedPostgresError(
            fmt::format("the embedded PostgreSQL refused \"{}\": {}", sql, PQerrorMessage(connection)));
    }

    PGconn* connection;
};
}  // namespace

struct EmbeddedPostgres::Impl {
    explicit Impl(Options given)
        : options(std::move(given)),
          data_dir(make_data_directory(options.data_dir)),
          lock(std::in_place, data_dir),
          cluster(data_dir / "postgres"),
          user(choose_server_user(data_dir, cluster)),
          installation(find_postgres(cluster_major(cluster))),
          socket_dir(socket_directory_for(data_dir)) {}

    Command server_command(std::string_view program, std::vector<std::string> arguments) const {
        return {.program = installation.bin / program,
                .arguments = std::move(arguments),
                .user = user,
                .dies_with_parent = false};
    }

    void make_cluster();
    void write_configuration();
    bool accepts(const std::string& setting) const;
    void launch_server();
    bool wait_until_ready();
    [[noreturn]] void give_up(std::string_view reason);
    void bring_up();
    void make_database();
    void bring_down();

    const Options options;
    const fs::path data_dir;
    std::optional<DirectoryLock> lock;
    const fs::path cluster;
    const std::optional<UnixUser> user;
    const PostgresInstallation installation;
    const fs::path socket_dir;
    std::string conninfo;  // as superuser, of database postgres
    pid_t server = -1;
    steady_clock::time_point logs_cleaned;
};

// In a directory of its own first, renamed at the end: a half-made cluster is never taken for one.
void EmbeddedPostgres::Impl::make_cluster() {
    if (cluster_major(cluster)) return;
    if (fs::exists(cluster) && !fs::is_empty(cluster))
        throw EmbeddedPostgresError(fmt::format(
            "{} holds files but no database (no PG_VERSION); it is left alone", cluster.string()));
    const auto fresh = data_dir / "postgres.new";
    fs::remove_all(fresh);
    make_private_directory(fresh, user);
    std::vector<std::string> arguments{
        "--pgdata=" + fresh.string(), "--username=postgres", "--encoding=UTF8",   "--locale=C",
        "--data-checksums",           "--auth-local=trust",  "--auth-host=reject"};
    if (!options.durable) arguments.emplace_back("--no-sync");
    spdlog::info("making a PostgreSQL {} cluster in {}", installation.major, cluster.string());
    const auto made = run_to_end(server_command("initdb", std::move(arguments)));
    if (!made.ok)
        throw EmbeddedPostgresError(fmt::format("initdb failed in {}:\n{}", fresh.string(), made.output));
    fs::rename(fresh, cluster);
    if (options.durable) sync_directory(data_dir);
}

bool EmbeddedPostgres::Impl::accepts(const std::string& setting) const {
    return run_to_end(
               server_command("postgres", {"-D", cluster.string(), "-c", setting, "-C", "data_directory"}))
        .ok;
}

void EmbeddedPostgres::Impl::write_configuration() {
    PostgresConfiguration c;
    c.cluster = cluster;
    c.socket_directory = socket_dir;
    c.log_directory = data_dir / "log";
    c.memory_mb = memory_in_megabytes();
    c.shared_buffers_mb = options.shared_buffers_mb.value_or(shared_buffers_for(c.memory_mb));
    c.max_connections = options.max_connections;
    c.durable = options.durable;
    c.wal_lz4 = options.durable && accepts("wal_compression=lz4");
    c.statement_statistics = installation.has_library("pg_stat_statements");
    write_file(data_dir / "postgresql.conf", configuration_text(c));
}

void EmbeddedPostgres::Impl::launch_server() {
    const auto path = data_dir / "postgres-start.log";
    const int output = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (output < 0) throw EmbeddedPostgresError(fmt::format("cannot write {}", path.string()));
    auto command = server_command(
        "postgres", {"-D", cluster.string(), "-c", "config_file=" + (data_dir / "postgresql.conf").string()});
    command.dies_with_parent = options.dies_with_parent;
    server = launch(command, output);
    close(output);
}

bool EmbeddedPostgres::Impl::wait_until_ready() {
    const auto begin = steady_clock::now();
    auto report = begin + seconds(10);
    while (steady_clock::now() < begin + options.start_limit) {
        if (has_ended(server)) {
            server = -1;
            return false;
        }
        if (reports_ready(cluster, server)) return true;
        if (steady_clock::now() >= report) {
            spdlog::info("PostgreSQL is still starting (recovery after a crash can take minutes)");
            report += seconds(10);
        }
        std::this_thread::sleep_for(poll_interval);
    }
    const pid_t slow = std::exchange(server, -1);
    kill(slow, SIGQUIT);
    if (!ends_within(slow, forced_stop_limit)) kill(slow, SIGKILL);
    give_up(fmt::format("was not ready after {} s", options.start_limit.count()));
}

void EmbeddedPostgres::Impl::give_up(std::string_view reason) {
    throw EmbeddedPostgresError(
        fmt::format("the embedded PostgreSQL in {} {}. Its last words:\n{}{}", data_dir.string(), reason,
                    tail_of(data_dir / "postgres-start.log"), newest_log(data_dir / "log")));
}

void EmbeddedPostgres::Impl::bring_up() {
    end_leftover_server(cluster, options.stop_limit);
    const auto give_up_at = steady_clock::now() + orphans_limit;
    while (true) {
        launch_server();
        if (wait_until_ready()) return;
        const auto words = tail_of(data_dir / "postgres-start.log");
        if (words.find("shared memory block") == std::string::npos || steady_clock::now() >= give_up_at)
            give_up("ended while starting");
        std::this_thread::sleep_for(milliseconds(100));
    }
}

void EmbeddedPostgres::Impl::make_database() {
    const Session session(conninfo);
    if (!session.returns_a_row("SELECT 1 FROM pg_roles WHERE rolname = 'posthorn'"))
        session.returns_a_row("CREATE ROLE posthorn LOGIN IN ROLE pg_monitor");
    if (!session.returns_a_row("SELECT 1 FROM pg_database WHERE datname = 'posthorn'"))
        session.returns_a_row("CREATE DATABASE posthorn OWNER posthorn");
}

void EmbeddedPostgres::Impl::bring_down() {
    const pid_t pid = std::exchange(server, -1);
    if (pid < 0) return;
    for (const auto& [number, limit] : {std::pair{SIGINT, options.stop_limit},
                                        {SIGQUIT, forced_stop_limit},
                                        {SIGKILL, forced_stop_limit}}) {
        kill(pid, number);
        if (ends_within(pid, limit)) return;
        spdlog::warn("PostgreSQL (process {}) did not end within {} s of signal {}", pid, limit.count(),
                     number);
    }
}

EmbeddedPostgres::EmbeddedPostgres(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

EmbeddedPostgres::~EmbeddedPostgres() { stop(); }

std::unique_ptr<EmbeddedPostgres> EmbeddedPostgres::start(Options options) try {
    auto impl = std::make_unique<Impl>(std::move(options));
    make_private_directory(impl->socket_dir, impl->user);
    make_private_directory(impl->data_dir / "log", impl->user);
    remove_old_logs(impl->data_dir / "log");
    impl->make_cluster();
    impl->write_configuration();
    std::unique_ptr<EmbeddedPostgres> self(new EmbeddedPostgres(std::move(impl)));
    self->impl_->conninfo = self->conninfo("postgres", "postgres");
    self->impl_->bring_up();
    self->impl_->make_database();
    return self;
} catch (const EmbeddedPostgresError&) {
    throw;
} catch (const std::exception& error) {
    throw EmbeddedPostgresError(error.what());
}

std::string EmbeddedPostgres::conninfo(std::string_view database, std::string_view user) const {
    return fmt::format("host={} port=5432 dbname={} user={}", quoted_setting(impl_->socket_dir.string()),
                       database, user);
}

bool EmbeddedPostgres::running() {
    if (impl_->server >= 0 && has_ended(impl_->server)) impl_->server = -1;
    return pid() >= 0;
}

void EmbeddedPostgres::restart_if_dead() {
    if (steady_clock::now() - impl_->logs_cleaned > log_cleaning_interval) {
        remove_old_logs(impl_->data_dir / "log");
        impl_->logs_cleaned = steady_clock::now();
    }
    if (running()) return;
    spdlog::error("the embedded PostgreSQL has ended; starting it again");
    impl_->bring_up();
}

void EmbeddedPostgres::stop() {
    if (!impl_->lock) return;
    impl_->bring_down();
    std::error_code ignored;
    if (impl_->socket_dir.parent_path() != impl_->data_dir) fs::remove(impl_->socket_dir, ignored);
    impl_->lock.reset();
}

pid_t EmbeddedPostgres::pid() const { return impl_->server; }

}  // namespace posthorn::store
