#include "store/embedded_postgres.hpp"

#include <fmt/format.h>
#include <fstream>
#include <functional>
#include <iostream>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/postgres_configuration.hpp"
#include "support/catch.hpp"
#include "support/postgres.hpp"

namespace fs = std::filesystem;
using posthorn::store::EmbeddedPostgres;
using posthorn::store::EmbeddedPostgresError;
using posthorn::test::contains;
using posthorn::test::run_sql;
using posthorn::test::TemporaryDirectory;

namespace {
EmbeddedPostgres::Options options_for(const fs::path& data_dir) {
    EmbeddedPostgres::Options options;
    options.data_dir = data_dir;
    options.shared_buffers_mb = 16;
    options.max_connections = 20;
    options.durable = false;
    options.dies_with_parent = true;
    return options;
}

std::string failure_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const EmbeddedPostgresError& error) {
        return error.what();
    }
    return "no error";
}

// Runs the body in a child process; true when it ended with status 0.
bool in_child(const std::function<void()>& body, int expected_signal = 0) {
    const pid_t child = fork();
    if (child == 0) {
        try {
            body();
            _exit(0);
        } catch (const std::exception& error) {
            std::cerr << error.what() << std::endl;
            _exit(1);
        }
    }
    int status = 0;
    waitpid(child, &status, 0);
    return expected_signal ? WIFSIGNALED(status) && WTERMSIG(status) == expected_signal
                           : WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
}  // namespace

TEST_CASE("embedded PostgreSQL keeps its data from one start to the next") {
    TemporaryDirectory directory;
    auto first = EmbeddedPostgres::start(options_for(directory.path() / "data"));
    REQUIRE(first->running());
    run_sql(first->conninfo(), "CREATE TABLE kept AS SELECT 42 AS answer");
    first->stop();
    CHECK_FALSE(first->running());
    const auto second = EmbeddedPostgres::start(options_for(directory.path() / "data"));
    CHECK(run_sql(second->conninfo(), "SELECT answer FROM kept") == "42");
}

TEST_CASE("embedded PostgreSQL has the encoding, checksums, privileges and privacy it should have") {
    TemporaryDirectory directory;
    const auto server = EmbeddedPostgres::start(options_for(directory.path() / "data"));
    const auto ask = [&](const std::string& sql) { return run_sql(server->conninfo(), sql); };
    CHECK(ask("SHOW server_encoding") == "UTF8");
    CHECK(ask("SHOW data_checksums") == "on");
    CHECK(ask("SHOW listen_addresses").empty());
    CHECK(ask("SHOW jit") == "off");
    CHECK(ask("SHOW max_connections") == "20");
    CHECK(ask("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == "f");
    for (const char* name : {"postgres", "run", "log"}) {
        struct stat found{};
        REQUIRE(stat((directory.path() / "data" / name).c_str(), &found) == 0);
        CHECK((found.st_mode & 0777) == 0700);
        CHECK(found.st_uid != 0);
    }
}

TEST_CASE("a second service on the same data directory is refused with the first one's process id") {
    TemporaryDirectory directory;
    const auto first = EmbeddedPostgres::start(options_for(directory.path()));
    const bool is_file_removed = GENERATE(false, true);
    if (is_file_removed) REQUIRE(fs::remove(directory.path() / "posthorn.lock"));
    const auto message = failure_of([&] { EmbeddedPostgres::start(options_for(directory.path())); });
    CHECK_THAT(message, contains("in use by another posthorn"));
    CHECK_THAT(message, contains(is_file_removed ? "process unknown" : std::to_string(getpid())));
    CHECK(first->running());
    CHECK(run_sql(first->conninfo(), "SELECT 1") == "1");
}

TEST_CASE("a killed PostgreSQL is started again, with sessions still open, and what was committed is there") {
    TemporaryDirectory directory;
    auto options = options_for(directory.path());
    options.durable = true;
    const auto server = EmbeddedPostgres::start(options);
    run_sql(server->conninfo(), "CREATE TABLE kept AS SELECT 7 AS answer");
    kill(server->pid(), SIGKILL);
    for (int i = 0; i < 500 && server->running(); ++i) usleep(10'000);
    REQUIRE_FALSE(server->running());
    server->restart_if_dead();
    CHECK(server->running());
    CHECK(run_sql(server->conninfo(), "SELECT answer FROM kept") == "7");
}

TEST_CASE("the server that a killed service left running is replaced at the next start") {
    TemporaryDirectory directory;
    REQUIRE(in_child(
        [&] {
            auto options = options_for(directory.path());
            options.dies_with_parent = false;
            const auto server = EmbeddedPostgres::start(options);
            run_sql(server->conninfo(), "CREATE TABLE kept AS SELECT 1 AS answer");
            kill(getpid(), SIGKILL);
        },
        SIGKILL));
    pid_t left = 0;
    REQUIRE((std::ifstream(directory.path() / "postgres" / "postmaster.pid") >> left));
    REQUIRE(kill(left, 0) == 0);
    const bool is_pid_file_removed = GENERATE(false, true);
    if (is_pid_file_removed) REQUIRE(fs::remove(directory.path() / "postgres" / "postmaster.pid"));
    const auto server = EmbeddedPostgres::start(options_for(directory.path()));
    CHECK(server->pid() != left);
    CHECK(run_sql(server->conninfo(), "SELECT answer FROM kept") == "1");
}

TEST_CASE(
    "a stale postmaster.pid does not stop the server from starting, whomever its process id belongs to now") {
    TemporaryDirectory directory;
    EmbeddedPostgres::start(options_for(directory.path()))->stop();
    const auto file = directory.path() / "postgres" / "postmaster.pid";
    const auto pid = GENERATE(1, 0, 4194303);  // init, ourselves, nobody
    std::ofstream(file) << (pid == 0 ? getpid() : pid) << "\n"
                        << (directory.path() / "postgres").string() << "\n1\n5432\n";
    struct stat cluster{};
    REQUIRE(stat((directory.path() / "postgres").c_str(), &cluster) == 0);
    REQUIRE(chown(file.c_str(), cluster.st_uid, cluster.st_gid) == 0);
    CHECK(EmbeddedPostgres::start(options_for(directory.path()))->running());
}

TEST_CASE("a cluster that was not finished is made anew") {
    TemporaryDirectory directory;
    fs::create_directories(directory.path() / "postgres.new" / "base");
    std::ofstream(directory.path() / "postgres.new" / "PG_VERSION") << "15\n";
    std::ofstream(directory.path() / "posthorn.lock") << "1\n";
    CHECK(EmbeddedPostgres::start(options_for(directory.path()))->running());
}

TEST_CASE("a data directory of another major version is refused with what to install") {
    TemporaryDirectory directory;
    fs::create_directories(directory.path() / "postgres");
    std::ofstream(directory.path() / "postgres" / "PG_VERSION") << "9\n";
    const auto message = failure_of([&] { EmbeddedPostgres::start(options_for(directory.path())); });
    CHECK_THAT(message, contains("made by PostgreSQL 9"));
    CHECK_THAT(message, contains("postgresql-9"));
}

TEST_CASE("a data directory whose path is too long or too strange for a socket works") {
    TemporaryDirectory directory;
    const auto name = GENERATE(std::string(120, 'x'), std::string("it's, a \"strange\" \\name"));
    const auto server = EmbeddedPostgres::start(options_for(directory.path() / name));
    CHECK(run_sql(server->conninfo(), "SELECT 1") == "1");
    server->stop();
}

TEST_CASE("embedded PostgreSQL runs as an unprivileged user's own process") {
    if (getuid() != 0) return;  // then every other test here is this one
    TemporaryDirectory directory;
    const passwd* nobody = getpwnam("nobody");
    REQUIRE(nobody);
    REQUIRE(chown(directory.path().c_str(), nobody->pw_uid, nobody->pw_gid) == 0);
    CHECK(in_child([&] {
        if (setgid(nobody->pw_gid) != 0 || setuid(nobody->pw_uid) != 0) throw std::runtime_error("setuid");
        const auto server = EmbeddedPostgres::start(options_for(directory.path() / "data"));
        if (run_sql(server->conninfo(), "SELECT 1") != "1") throw std::runtime_error("no answer");
    }));
}

TEST_CASE("root is told which directory its server's user may not enter") {
    if (getuid() != 0) return;
    TemporaryDirectory directory;
    fs::permissions(directory.path(), fs::perms(0700));
    fs::create_directories(directory.path() / "closed" / "data");
    std::ofstream(directory.path() / "foreign file") << "x";
    const auto message =
        failure_of([&] { EmbeddedPostgres::start(options_for(directory.path() / "closed" / "data")); });
    CHECK_THAT(message, contains("cannot be reached by user"));
    CHECK_THAT(message, contains(directory.path().string() + " is closed"));
    CHECK_THAT(message, contains("POSTHORN_DATA_DIR"));
}

TEST_CASE("of the server's log files only the newest are kept") {
    TemporaryDirectory directory;
    for (int i = 10; i < 30; ++i)
        std::ofstream(directory.path() / fmt::format("postgresql-20300101-0000{}.log", i)) << "x";
    posthorn::store::remove_old_logs(directory.path());
    const auto left = std::distance(fs::directory_iterator(directory.path()), fs::directory_iterator());
    CHECK(left == static_cast<std::ptrdiff_t>(posthorn::store::log_files_kept));
    CHECK(fs::exists(directory.path() / "postgresql-20300101-000029.log"));
}
