// Upgrades, backups and restores: what docs/operations.md says, done.
#include <algorithm>
#include <atomic>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "command_line.hpp"
#include "store/child_process.hpp"
#include "store/data_directory.hpp"
#include "store/postgres_installation.hpp"
#include "support/becomes_true.hpp"
#include "support/catch.hpp"
#include "support/receiver.hpp"
#include "support/service.hpp"

using namespace posthorn;
using posthorn::test::becomes_true;
using posthorn::test::contains;
using posthorn::test::Receiver;
using posthorn::test::run_posthorn;
using posthorn::test::run_sql;
using posthorn::test::Service;
using posthorn::test::TemporaryDirectory;
using posthorn::test::TestPostgres;
using std::chrono::milliseconds;
using std::chrono::seconds;
namespace fs = std::filesystem;

namespace {

constexpr seconds take_over_limit{6};

// The backend of a customer: sends one event after another, each with a key, to whichever service answers,
// and again until it is acknowledged.
class Backend {
public:
    Backend(const Service& service, const std::string& application)
        : token_(service.token()),
          path_("/api/v1/app/" + application + "/msg"),
          urls_{service.url()},
          thread_([this] { send(); }) {}
    ~Backend() { stop(); }

    void use(std::vector<std::string> urls) {
        const std::lock_guard lock(mutex_);
        urls_ = std::move(urls);
    }
    std::set<std::string> acknowledged() const {
        const std::lock_guard lock(mutex_);
        return acknowledged_;
    }
    bool gets_on(std::size_t events = 50) const {
        const auto wanted = acknowledged().size() + events;
        return becomes_true([&] { return acknowledged().size() >= wanted; });
    }
    std::set<std::string> stop() {
        stopping_ = true;
        if (thread_.joinable()) thread_.join();
        return acknowledged_;
    }

private:
    void send() {
        for (std::size_t event = 0; !stopping_; ++event)
            for (std::size_t attempt = 0; !stopping_ && !submit(event, attempt); ++attempt)
                std::this_thread::sleep_for(milliseconds(5));
    }
    // False: it was not acknowledged.
    bool submit(std::size_t event, std::size_t attempt) {
        const auto body = fmt::format(R"({{"eventType":"order.paid","payload":{{"n":{}}}}})", event);
        try {
            const auto answer =
                client(event + attempt)
                    .call("POST", path_, body, {{"Idempotency-Key", fmt::format("key-{}", event)}});
            if (answer.status != 202) return false;
            const std::lock_guard lock(mutex_);
            acknowledged_.emplace(boost::json::parse(answer.body).at("id").as_string());
            return true;
        } catch (const egress::ApiUnreachable&) {
            return false;
        }
    }
    egress::ApiClient& client(std::size_t turn) {
        const std::lock_guard lock(mutex_);
        const auto& url = urls_[turn % urls_.size()];
        const egress::ApiClient::Options options{
            .server = url, .token = Secret(token_), .timeout = seconds(10)};
        return clients_.try_emplace(url, options).first->second;
    }

    const std::string token_, path_;
    mutable std::mutex mutex_;
    std::vector<std::string> urls_;
    std::map<std::string, egress::ApiClient> clients_;  // by URL
    std::set<std::string> acknowledged_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

using Times = std::map<std::pair<std::string, std::string>, int>;  // by path and message

Times times_received(const Receiver& receiver) {
    Times times;
    for (const auto& request : receiver.received()) ++times[{request.path, request.id}];
    return times;
}

bool all_arrive(const Receiver& receiver, const std::set<std::string>& ids) {
    return receiver.wait_until([&](const std::vector<test::Received>& requests) {
        std::set<std::string> arrived;
        for (const auto& request : requests) arrived.insert(request.id);
        return std::ranges::includes(arrived, ids);
    });
}

std::set<std::string> stored_messages(const std::string& database) {
    std::istringstream words(run_sql(database, "SELECT string_agg(id_text('msg', id), ' ') FROM message"));
    return std::set<std::string>(std::istream_iterator<std::string>(words),
                                 std::istream_iterator<std::string>());
}

bool all_deliveries_end(const std::string& database) {
    return becomes_true([&] { return run_sql(database, "SELECT count(*) FROM delivery") == "0"; });
}

// ---- PostgreSQL's own programs

fs::path server_program(const std::string& name) { return store::find_postgres(std::nullopt).bin / name; }

void run_client(const std::string& name, std::vector<std::string> arguments) {
    test::ChildProcess::Options options;
    options.program = server_program(name);
    options.arguments = std::move(arguments);
    const auto done = test::run_program(std::move(options));
    INFO(name << ": " << done.errors);
    REQUIRE(done.status == 0);
}

void dump(const std::string& database, const fs::path& file) {
    run_client("pg_dump", {"--format=custom", "--file=" + file.string(), "--dbname=" + database});
}

// Into a new database; its conninfo.
std::string restore(const fs::path& file) {
    const auto database = TestPostgres::instance().make_database();
    run_client("pg_restore", {"--exit-on-error", "--dbname=" + database, file.string()});
    return database;
}

// Nobody can connect meanwhile.
void put_in_place_of(const std::string& database, const std::string& restored) {
    const auto postgres = TestPostgres::instance().server().conninfo("postgres", "postgres");
    const auto name = run_sql(database, "SELECT current_database()");
    const auto other = run_sql(restored, "SELECT current_database()");
    run_sql(postgres, fmt::format("ALTER DATABASE {} ALLOW_CONNECTIONS false", name));
    run_sql(postgres, fmt::format("SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity "
                                  "WHERE datname IN ('{}', '{}')",
                                  name, other));
    run_sql(postgres, fmt::format("ALTER DATABASE {0} RENAME TO {0}_before; ALTER DATABASE {1} RENAME TO {0}",
                                  name, other));
}

// As the owner of the cluster, as the documentation says.
void back_up(const fs::path& data_dir, const fs::path& copy) {
    struct stat cluster{};
    REQUIRE(stat((data_dir / "postgres").c_str(), &cluster) == 0);
    const auto owner = geteuid() == 0 ? store::UnixUser::of(cluster.st_uid) : std::nullopt;
    store::make_private_directory(store::make_data_directory(copy) / "postgres", owner);
    const auto done =
        store::run_to_end({.program = server_program("pg_basebackup"),
                           .arguments = {"--host=" + (data_dir / "run").string(), "--username=postgres",
                                         "--checkpoint=fast", "--pgdata=" + (copy / "postgres").string()},
                           .user = owner});
    INFO(done.output);
    REQUIRE(done.ok);
}

// Again while the service has no database yet.
std::string post(Service& service, const std::string& application, const std::string& key) {
    std::string id;
    REQUIRE(becomes_true([&] {
        const auto answer =
            service.api("POST", "/api/v1/app/" + application + "/msg",
                        R"({"eventType":"order.paid","payload":{}})", {}, {{"Idempotency-Key", key}});
        if (answer.status == 202) id = boost::json::value_to<std::string>(answer.body.at("id"));
        return answer.status == 202;
    }));
    return id;
}

std::size_t count_lines(const std::string& text) {
    return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

}  // namespace

TEST_CASE(
    "processes are replaced one by one, then the schema grows, while events are sent: each comes once") {
    const auto database = TestPostgres::instance().make_database();
    Receiver receiver;
    Service one({.database_url = database}), two({.database_url = database});
    const auto application = one.make_application();
    constexpr int endpoints = 4;
    for (int i = 0; i < endpoints; ++i) one.make_endpoint(application, receiver.url(fmt::format("/{}", i)));
    Backend backend(one, application);
    backend.use({one.url(), two.url()});
    REQUIRE(backend.gets_on());
    for (auto* replaced : {&one, &two}) {
        CHECK(replaced->stop() == 0);
        REQUIRE(backend.gets_on());
        replaced->start();
        backend.use({one.url(), two.url()});
        REQUIRE(backend.gets_on());
    }
    // As the next version may do it while this one runs.
    for (const auto* table : {"application", "endpoint", "message", "delivery", "attempt", "dead_letter"})
        run_sql(database, fmt::format("ALTER TABLE {} ADD COLUMN of_the_future text DEFAULT 'x'", table));
    run_sql(database, "CREATE INDEX CONCURRENTLY of_the_future ON endpoint (of_the_future)");
    run_sql(database,
            "INSERT INTO schema_migration (number, name) SELECT max(number) + 1, 'of the future' FROM "
            "schema_migration");
    REQUIRE(backend.gets_on());
    CHECK(two.stop() == 0);
    REQUIRE(backend.gets_on());
    const auto accepted = backend.stop();
    REQUIRE(receiver.wait_for(endpoints * accepted.size()));
    CHECK(all_deliveries_end(database));
    const auto times = times_received(receiver);
    for (const auto& [delivery, count] : times) CHECK(count == 1);
    for (const auto& id : accepted)
        for (int i = 0; i < endpoints; ++i) CHECK(times.contains({fmt::format("/{}", i), id}));
    CHECK(one.stop() == 0);
}

TEST_CASE("a program that is older than the database's schema refuses to start and says what to do") {
    const auto database = TestPostgres::instance().make_database();
    const std::map<std::string, std::string> environment{{"POSTHORN_DATABASE_URL", database},
                                                         {"POSTHORN_LISTEN", "127.0.0.1:0"},
                                                         {"POSTHORN_JWT_SECRET", std::string(32, 'j')},
                                                         {"POSTHORN_MASTER_KEY", std::string(64, '1')}};
    REQUIRE(run_posthorn({"migrate"}, environment).status == 0);
    run_sql(database, "INSERT INTO schema_migration (number, name) VALUES (9999, 'of the future')");
    const auto schema = run_sql(database, "SELECT count(*) FROM pg_class");
    for (const auto* command : {"serve", "migrate", "rekey"}) {
        INFO(command);
        auto given = environment;
        given["POSTHORN_NEW_MASTER_KEY"] = std::string(64, '2');
        const auto refused = run_posthorn({command}, given);
        CHECK(refused.status == 1);
        CHECK_THAT(refused.errors, contains("the database's schema is version 9999, this program knows") &&
                                       contains("run a newer posthorn"));
    }
    CHECK(run_sql(database, "SELECT count(*) FROM pg_class") == schema);
}

TEST_CASE("a dump made under load, restored: what was pending is delivered, what came since comes again") {
    const TemporaryDirectory directory;
    const auto file = directory.path() / "posthorn.dump";
    const auto database = TestPostgres::instance().make_database();
    const std::map<std::string, std::string> settings{{"POSTHORN_RETRY_SCHEDULE", "1s,1s,1s,1s,1s,1s,1s,1s"}};
    Receiver usual, slow, failing({.status = 500});
    std::set<std::string> before;
    std::string under_way, pending;
    {
        Service service({.database_url = database, .environment = settings});
        const auto application = service.make_application();
        service.make_endpoint(application, usual.url());
        const auto others = service.make_application(), more = service.make_application();
        service.make_endpoint(others, slow.url());
        service.make_endpoint(more, failing.url());
        slow.hold();
        under_way = service.send(others, "order.paid", R"({"n":10.50})");
        pending = service.send(more, "order.paid", R"({"n":1e3})");
        REQUIRE(slow.wait_for(1));
        REQUIRE(failing.wait_for(1));
        Backend backend(service, application);
        REQUIRE(backend.gets_on());
        before = backend.acknowledged();
        dump(database, file);
        slow.release();
        REQUIRE(backend.gets_on());
        REQUIRE(all_arrive(usual, backend.stop()));
        REQUIRE(becomes_true([&] {
            return run_sql(database,
                           "SELECT count(*) FROM attempt WHERE succeeded AND message_id IN (SELECT "
                           "id FROM message WHERE id_text('msg', id) = '" +
                               under_way + "')") == "1";
        }));
        CHECK(service.stop() == 0);
    }
    failing.answer_always({.status = 200});
    failing.clear();
    const auto restored = restore(file);
    // Whose the shards were when it was dumped: judged dead as any other.
    const auto owner = run_sql(restored, "SELECT min(process_id::text) FROM shard_lease");
    REQUIRE(!owner.empty());
    Service service({.database_url = restored, .environment = settings});
    const auto began = std::chrono::steady_clock::now();
    REQUIRE(becomes_true([&] {
        return run_sql(restored, "SELECT count(*) FROM shard_lease WHERE process_id <> '" + owner + "'") ==
               "64";
    }));
    CHECK(std::chrono::steady_clock::now() - began < take_over_limit);
    REQUIRE(slow.wait_for(2));
    REQUIRE(failing.wait_for(1));
    REQUIRE(all_deliveries_end(restored));
    CHECK(std::ranges::includes(stored_messages(restored), before));
    const auto again = slow.received();
    REQUIRE(again.size() == 2);
    for (const auto& request : again) {
        CHECK(request.id == under_way);
        CHECK(request.body == R"({"n":10.50})");
    }
    CHECK(failing.received().front().id == pending);
    CHECK(run_sql(
              restored,
              "SELECT count(*) FROM message m JOIN endpoint e USING (app_id) WHERE NOT EXISTS (SELECT 1 FROM "
              "attempt a WHERE a.app_id = m.app_id AND a.message_id = m.id AND a.succeeded)") == "0");
    CHECK(run_sql(restored, "SELECT count(*) FROM dead_letter") == "0");
}

TEST_CASE("a service beneath which an earlier state is put in place notices and goes on from that state") {
    const TemporaryDirectory directory;
    const auto file = directory.path() / "posthorn.dump";
    const auto database = TestPostgres::instance().make_database();
    Receiver receiver;
    Service service({.database_url = database});
    const auto application = service.make_application();
    const auto endpoint = service.make_endpoint(application, receiver.url());
    const auto counter = [&] { return std::stoi(run_sql(database, "SELECT max(counter) FROM process")); };
    const auto known = post(service, application, "known");
    REQUIRE(receiver.wait_for(1));
    REQUIRE(all_deliveries_end(database));
    dump(database, file);
    const auto at_dump = counter();
    const auto forgotten = post(service, application, "forgotten");
    REQUIRE(receiver.wait_for(2));
    service.expect(200, "PATCH", "/api/v1/app/" + application + "/endpoint/" + endpoint,
                   R"({"disabled":true})");
    REQUIRE(becomes_true([&] { return counter() > at_dump + 1; }));
    put_in_place_of(database, restore(file));

    CHECK(becomes_true(
        [&] { return service.log().find("gone back to an earlier state") != std::string::npos; }));
    CHECK(post(service, application, "known") == known);
    const auto anew = post(service, application, "forgotten");
    CHECK(anew != forgotten);
    // To the endpoint that is not disabled in this state.
    REQUIRE(receiver.wait_for(3));
    CHECK(receiver.received().back().id == anew);
    CHECK(all_deliveries_end(database));
    CHECK(run_sql(database, "SELECT count(*) FROM dead_letter") == "0");
    CHECK(run_sql(database, "SELECT count(DISTINCT process_id) FROM shard_lease") == "1");
    CHECK(count_lines(service.log()) < 100);
    CHECK(service.stop() == 0);
}

TEST_CASE("a base backup of the embedded PostgreSQL, made while it runs, is a data directory to start from") {
    const TemporaryDirectory directory;
    const auto copy = directory.path() / "copy";
    Receiver receiver;
    Service service;
    const auto application = service.make_application();
    service.make_endpoint(application, receiver.url());
    Backend backend(service, application);
    REQUIRE(backend.gets_on());
    const auto before = backend.acknowledged();
    back_up(service.data_dir(), copy);
    REQUIRE(backend.gets_on(1));
    REQUIRE(all_arrive(receiver, backend.stop()));

    const auto refused = run_posthorn({"serve"}, {{"POSTHORN_DATA_DIR", copy.string()}});
    CHECK(refused.status == 1);
    CHECK_THAT(refused.errors, contains((copy / "secrets" / "master-key").string() + " is missing") &&
                                   contains("Put the file back"));

    Service restored(
        {.environment = {{"POSTHORN_DATA_DIR", copy.string()}, {"POSTHORN_HTTP_THREADS", "20"}}});
    const auto database =
        fmt::format("host={} port=5432 dbname=posthorn user=posthorn", (copy / "run").string());
    CHECK(std::stoi(run_sql(database, "SHOW max_connections")) > 20 * 8);  // what the threads may open
    CHECK(std::ranges::includes(stored_messages(database), before));
    CHECK(all_deliveries_end(database));
    const auto sent = restored.send(application, "order.paid", "{}");
    CHECK(all_arrive(receiver, {sent}));
    CHECK(restored.stop() == 0);
}

TEST_CASE("a data directory has one service, also when the lock's file and the server's are removed") {
    Receiver receiver;
    Service service;
    const auto application = service.make_application();
    service.make_endpoint(application, receiver.url());
    REQUIRE(fs::remove(service.data_dir() / "posthorn.lock"));
    REQUIRE(fs::remove(service.data_dir() / "postgres" / "postmaster.pid"));
    const auto second = run_posthorn({"serve"}, {{"POSTHORN_DATA_DIR", service.data_dir().string()},
                                                 {"POSTHORN_LISTEN", "127.0.0.1:0"},
                                                 {"POSTHORN_JWT_SECRET", std::string(32, 'j')},
                                                 {"POSTHORN_MASTER_KEY", std::string(64, '1')}});
    CHECK(second.status == 1);
    CHECK_THAT(second.errors, contains("is in use by another posthorn"));
    const auto sent = service.send(application, "order.paid", "{}");
    CHECK(all_arrive(receiver, {sent}));
    CHECK(service.log().find("starting it again") == std::string::npos);
    CHECK(service.stop() == 0);
    service.start();
    service.expect(200, "GET", "/api/v1/app/" + application + "/msg/" + sent);
}

TEST_CASE(
    "while PostgreSQL is away clients are told to come back, and afterwards everything goes on by itself") {
    const TemporaryDirectory directory;
    store::EmbeddedPostgres::Options options;
    options.data_dir = directory.path();
    options.shared_buffers_mb = 16;
    options.durable = false;
    options.dies_with_parent = true;
    auto postgres = store::EmbeddedPostgres::start(options);
    Receiver receiver({.status = 500});
    Service service({.database_url = postgres->conninfo(),
                     .environment = {{"POSTHORN_RETRY_SCHEDULE", "1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s"}}});
    const auto application = service.make_application();
    service.make_endpoint(application, receiver.url());
    const auto accepted = service.send(application, "order.paid", "{}");
    REQUIRE(receiver.wait_for(1));
    const auto status_of = [&](const std::string& path) { return service.api("GET", path, {}, "").status; };
    CHECK(status_of("/ready") == 200);

    postgres->stop();
    CHECK(status_of("/live") == 200);
    CHECK(status_of("/api/v1/health") == 204);
    CHECK(status_of("/ready") == 503);
    const auto path = "/api/v1/app/" + application + "/msg";
    for (const auto& answer : {service.api("GET", path),
                               service.api("POST", path, R"({"eventType":"order.paid","payload":{}})")}) {
        CHECK(answer.status == 503);
        CHECK(std::ranges::count(answer.fields, std::pair<std::string, std::string>("retry-after", "1")) ==
              1);
    }

    receiver.answer_always({.status = 200});
    postgres = store::EmbeddedPostgres::start(options);
    CHECK(becomes_true([&] { return status_of("/ready") == 200; }));
    const auto later = post(service, application, "later");
    CHECK(all_arrive(receiver, {accepted, later}));
    CHECK(all_deliveries_end(postgres->conninfo()));
    CHECK(service.stop() == 0);
}

TEST_CASE("every query that docs/operations.md gives is one that the database answers") {
    const auto database = TestPostgres::instance().make_database();
    REQUIRE(run_posthorn({"migrate"}, {{"POSTHORN_DATABASE_URL", database}}).status == 0);
    std::ifstream document(test::source_directory() / "docs/operations.md");
    std::size_t queries = 0;
    for (std::string line; std::getline(document, line);) {
        if (!line.starts_with("    SELECT")) continue;
        INFO(line);
        CHECK_NOTHROW(run_sql(database, line));
        ++queries;
    }
    CHECK(queries >= 3);
}
