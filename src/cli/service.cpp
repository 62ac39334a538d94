#include "cli/service.hpp"

#include <algorithm>
#include <atomic>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "admin-api/access.hpp"
#include "admin-api/applications.hpp"
#include "admin-api/context.hpp"
#include "admin-api/routes.hpp"
#include "async/loop.hpp"
#include "async/task.hpp"
#include "cli/hand_over.hpp"
#include "cli/sealer_presence.hpp"
#include "cli/version.hpp"
#include "http/server.hpp"
#include "ingest/batcher.hpp"
#include "ingest/route.hpp"
#include "store/embedded_postgres.hpp"
#include "store/migrations.hpp"
#include "store/retention.hpp"
#include "workers/backlog_watch.hpp"
#include "workers/replay.hpp"
#include "workers/retention.hpp"
#include "workers/shard_owner.hpp"
#include "workers/worker_loop.hpp"

namespace posthorn::cli {

namespace asio = boost::asio;
using asio::awaitable;
using config::Role;

namespace {

constexpr std::size_t admin_connections_a_loop = 8;
constexpr std::size_t connections_a_worker = 3;
constexpr std::size_t other_connections = 40;  // of the service, of a backup, of whoever looks by psql
constexpr std::chrono::milliseconds supervision_interval{250};
constexpr std::chrono::seconds database_wait{60};
constexpr std::chrono::seconds flush_allowance{5};  // beyond the requests in flight, for their outcomes

std::optional<http::Problem> explain(const std::exception& error) {
    const auto* database = dynamic_cast<const store::DatabaseError*>(&error);
    if (database == nullptr) return std::nullopt;
    namespace sqlstate = store::sqlstate;
    constexpr std::string_view no_resources = "53";  // the class: a full disk, no memory
    const bool passes =
        database->is(sqlstate::query_canceled) || database->is(sqlstate::lock_not_available) ||
        database->is(sqlstate::deadlock_detected) || database->is(sqlstate::serialization_failure) ||
        database->sqlstate().starts_with(no_resources);
    if (!database->connection_lost() && !passes) return std::nullopt;
    http::Problem problem{
        503, "database_unavailable", "The database can not do this right now; try again.", {}};
    problem.fields.add("Retry-After", "1");
    return problem;
}

std::string host_name() {
    char name[256] = {};
    return gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

// The server of one loop and what its handlers work with.
struct HttpLoop {
    HttpLoop(const std::string& name, const store::ConnectOptions& connect,
             const std::shared_ptr<const egress::AddressGuard>& guard,
             const std::vector<std::string>& name_servers)
        : loop(name),
          pool(loop.executor(), connect, admin_connections_a_loop),
          checker(loop.executor(), guard, name_servers) {}

    Loop loop;
    store::Pool pool;
    egress::HostChecker checker;
    std::unique_ptr<admin::Context> context;
    std::unique_ptr<http::Server> server;
    std::unique_ptr<Task> task;
};

struct WorkerThread {
    explicit WorkerThread(const std::string& name) : loop(name) {}

    Loop loop;
    std::unique_ptr<workers::WorkerLoop> worker;
    std::unique_ptr<Task> task;
};

}  // namespace

struct Service::Impl {
    explicit Impl(config::Settings given)
        : settings(std::move(given)), secret_box(settings.master_key, settings.other_master_keys) {}

    // ---- starting

    void start() {
        start_database();
        start_workers();
        start_ingest();
        start_http();
    }

    int connections_needed() const {
        return static_cast<int>(settings.http_threads * admin_connections_a_loop +
                                settings.worker_threads * connections_a_worker + other_connections);
    }

    void start_database() {
        guard = std::make_shared<const egress::AddressGuard>(allowed_networks());
        if (settings.embedded()) {
            store::EmbeddedPostgres::Options options;
            options.data_dir = settings.data_dir;
            options.max_connections = std::max(options.max_connections, connections_needed());
            embedded = store::EmbeddedPostgres::start(options);
            connect.conninfo = embedded->conninfo();
            supervisor = std::jthread([this](const std::stop_token& stop) { supervise(stop); });
        } else {
            connect.conninfo = settings.database_url.reveal();
        }
        worker_database = std::make_unique<store::PostgresWorkerDatabase>(connect);
        control = std::make_unique<Loop>("control");
        run_on(control->executor(), prepare_database());
        keep("retention", control->executor(), [this] { return retention->run(); });
        keep("sealer", control->executor(), [this] { return sealer->run(); });
    }

    std::vector<domain::Network> allowed_networks() const {
        std::vector<domain::Network> networks;
        for (const auto& text : settings.allow_networks) {
            const auto parsed = domain::parse_networks(text);
            if (!parsed)
                throw std::runtime_error("allow_networks: '" + text +
                                         "' is not a network such as 10.0.0.0/8 or fd00::/8");
            networks.insert(networks.end(), parsed->begin(), parsed->end());
        }
        return networks;
    }

    awaitable<void> prepare_database() {
        auto options = connect;
        options.application_name = "posthorn migrate";
        options.statement_timeout = std::chrono::minutes(30);
        const auto deadline = std::chrono::steady_clock::now() + database_wait;
        std::unique_ptr<store::Connection> connection;
        while (!connection) {
            std::string problem;
            try {
                connection = co_await store::Connection::open(control->executor(), options);
            } catch (const store::DatabaseError& error) {
                if (!error.connection_lost() || std::chrono::steady_clock::now() > deadline) throw;
                problem = error.what();
            }
            if (connection) break;
            spdlog::warn("waiting for the database: {}", problem);
            co_await sleep_for(std::chrono::seconds(1));
        }
        co_await store::migrate(*connection);
        co_await store::ensure_partitions(*connection);
        clock.follow(co_await store::database_time(*connection), clock.steady_now());
        sealer = std::make_unique<SealerPresence>(
            control->executor(), connect,
            store::Sealer{ProcessId::make(clock.system_now()), host_name(), secret_box.fingerprint()});
        co_await sealer->enroll(*connection);
        workers::RetentionOptions keeping;
        keeping.retention = std::chrono::duration_cast<std::chrono::seconds>(settings.retention);
        retention = std::make_unique<workers::RetentionKeeper>(control->executor(), connect, keeping);
    }

    workers::WorkerOptions worker_options() const {
        workers::WorkerOptions options;
        options.dispatcher.requests_in_flight = static_cast<int>(settings.worker_concurrency);
        options.dispatcher.concurrency.maximum = static_cast<int>(settings.endpoint_concurrency);
        options.dispatcher.concurrency.initial =
            std::min(options.dispatcher.concurrency.initial, options.dispatcher.concurrency.maximum);
        options.dispatcher.schedule = domain::RetrySchedule(settings.retry_schedule);
        options.dispatcher.disable_after = settings.disable_endpoint_after;
        options.dispatcher.oldest_delivery = settings.max_delivery_age;
        options.attempt.request_timeout = settings.request_timeout;
        options.attempt.svix_headers = settings.svix_headers;
        return options;
    }

    egress::ClientOptions client_options() const {
        egress::ClientOptions options;
        options.connection_cache = 4 * settings.worker_concurrency;  // idle hosts stay connected
        options.user_agent = "Posthorn/" + std::string(version);
        if (!settings.ca_file.empty()) options.ca_file = settings.ca_file;
        options.name_servers = settings.name_servers;
        return options;
    }

    void start_workers() {
        if (!settings.has_role(Role::worker)) return;
        std::vector<workers::WorkerLoop*> loops;
        for (std::size_t i = 0; i < settings.worker_threads; ++i) {
            auto& thread =
                *worker_threads.emplace_back(std::make_unique<WorkerThread>("worker-" + std::to_string(i)));
            thread.worker = std::make_unique<workers::WorkerLoop>(
                thread.loop.executor(), worker_options(), *worker_database,
                std::make_unique<egress::Client>(thread.loop.executor(), client_options(), guard), secret_box,
                clock, lease);
            loops.push_back(thread.worker.get());
            auto* worker = thread.worker.get();
            thread.task = make_task("worker", thread.loop.executor(), [worker] { return worker->run(); });
        }
        workers::OwnerOptions options;
        options.host = host_name();
        options.alone = settings.embedded();  // the lock on the data directory says so
        options.drain_limit = settings.request_timeout + flush_allowance;
        owner = std::make_unique<workers::ShardOwner>(control->executor(), options, *worker_database, loops,
                                                      shard_map, lease, clock, secret_box);
        owner_task = make_task("shard owner", control->executor(), [this] { return owner->run(); });
        replay_pool = std::make_unique<store::Pool>(control->executor(), connect, 2);
        replay = std::make_unique<workers::ReplayRunner>(*replay_pool);
        keep("replay", control->executor(), [this] { return replay->run(); });
        backlog_watch = std::make_unique<workers::BacklogWatch>(
            *replay_pool, shard_map, static_cast<std::int64_t>(settings.backlog_threshold));
        keep("backlog watch", control->executor(), [this] { return backlog_watch->run(); });
    }

    void start_ingest() {
        if (!settings.has_role(Role::ingest)) return;
        ingest_loop = std::make_unique<Loop>("ingest");
        std::vector<workers::WorkerLoop*> loops;
        for (auto& thread : worker_threads) loops.push_back(thread->worker.get());
        hand_over = std::make_unique<HandOver>(ingest_loop->executor(), *worker_database, loops, shard_map);
        ingest::BatcherOptions options;
        options.database = connect;
        options.queue.messages = settings.ingest_queue_limit;
        options.key_lifetime = settings.idempotency_ttl;
        batcher =
            std::make_unique<ingest::MessageBatcher>(ingest_loop->executor(), options, clock, *hand_over);
        hand_over_task = make_task("hand-over", ingest_loop->executor(), [this] { return hand_over->run(); });
        batcher_task = make_task("ingest", ingest_loop->executor(), [this] { return batcher->run(); });
    }

    void start_http() {
        http::ServerOptions options;
        options.listen = {asio::ip::make_address(settings.listen.host), settings.listen.port};
        options.access_log = settings.access_log;
        options.reuse_port = settings.http_threads > 1;
        if (options.listen.port() != 0) http::ensure_port_is_free(options.listen);
        for (std::size_t i = 0; i < settings.http_threads; ++i) {
            auto& http = *http_loops.emplace_back(std::make_unique<HttpLoop>(
                "http-" + std::to_string(i), connect, guard, settings.name_servers));
            http.context = std::make_unique<admin::Context>(admin::Context{
                http.pool, clock, settings.jwt_secret, secret_box, http.checker, settings.request_timeout});
            http.server = std::make_unique<http::Server>(options, make_router(*http.context));
            http.server->open(http.loop.executor());
            options.listen = http.server->local_endpoint();  // port 0 became a number: the same for all
            auto* server = http.server.get();
            http.task = make_task("HTTP server", http.loop.executor(), [server] { return server->run(); });
        }
    }

    std::shared_ptr<const http::Router> make_router(admin::Context& context) {
        auto router = std::make_shared<http::Router>();
        router->add_translator(explain);
        if (settings.has_role(Role::admin))
            admin::add_routes(*router, context);
        else
            admin::add_health_routes(*router, context);
        if (batcher) {
            ingest::RouteContext route{
                *batcher,
                clock,
                enforced_schemas,
                context.pool,
                [&context](const http::Request& request) { return organization_of(context, request); },
                [&context](const http::Request& request, std::string_view application) {
                    return create_application(context, request, application);
                }};
            ingest::add_routes(*router, std::move(route));
        }
        return router;
    }

    static awaitable<void> create_application(admin::Context& context, const http::Request& request,
                                              std::string_view description) {
        const auto principal = co_await admin::authenticate(context, request, {"application", true});
        boost::system::error_code error;
        const auto value = boost::json::parse({description.data(), description.size()}, error);
        if (error)
            throw http::ValidationProblem{
                {{{"body", "application"}, "can not be read as JSON", "value_error.jsondecode"}}};
        co_await admin::find_or_create_application(context, principal, request, &value.as_object());
    }

    // Who may submit: an organization's token, or a key with message:write. A customer's own token may not.
    static awaitable<OrganizationId> organization_of(admin::Context& context, const http::Request& request) {
        const auto principal = co_await admin::authenticate(context, request, {"message", true});
        if (principal.application)
            throw http::Problem{403,
                                "permission_denied",
                                "An application's token can not send messages; use the organization's.",
                                {}};
        co_return principal.organization;
    }

    // ---- running

    std::unique_ptr<Task> make_task(std::string name, asio::any_io_executor executor,
                                    std::function<awaitable<void>()> body) {
        return std::make_unique<Task>(executor, std::move(body),
                                      [this, name = std::move(name)](std::exception_ptr failure) {
                                          try {
                                              std::rethrow_exception(failure);
                                          } catch (const std::exception& error) {
                                              fail(name + ": " + error.what());
                                          }
                                      });
    }
    void keep(std::string name, asio::any_io_executor executor, std::function<awaitable<void>()> body) {
        background.push_back(make_task(std::move(name), executor, std::move(body)));
    }

    void fail(const std::string& what) {
        spdlog::critical("the service ends: {}", what);
        failed = true;
        kill(getpid(), SIGTERM);
    }

    void supervise(const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            try {
                embedded->restart_if_dead();
            } catch (const std::exception& error) {
                fail(error.what());
                return;
            }
            std::this_thread::sleep_for(supervision_interval);
        }
    }

    // ---- stopping: the reverse of the data flow's order, each step waits for what it stops

    void stop() {
        spdlog::info("stopping: finishing what is in flight");
        for (auto& http : http_loops)
            asio::post(http->loop.executor(), [server = http->server.get(), grace = settings.shutdown_grace] {
                server->stop(grace);
            });
        for (auto& http : http_loops) http->task->wait_for(settings.shutdown_grace + flush_allowance);
        for (auto& http : http_loops) http->task->stop();
        if (batcher_task) batcher_task->stop();
        if (hand_over_task) hand_over_task->stop();
        background.clear();
        if (owner) {
            owner_task->stop();
            if (!run_on(control->executor(), owner->leave())) {
                spdlog::error("not everything that was in flight ended in time; it will be attempted again");
                unclean = true;
            }
        }
        for (auto& thread : worker_threads) thread->task->stop();
        run_on(control->executor(), sealer->leave());
    }

    void stop_database() {
        if (!embedded) return;
        supervisor.request_stop();
        supervisor.join();
        embedded->stop();
    }

    config::Settings settings;
    domain::SecretBox secret_box;
    store::DatabaseClock clock;
    workers::Lease lease;
    workers::ShardMap shard_map;
    store::ConnectOptions connect;
    std::unique_ptr<store::WorkerDatabase> worker_database;
    std::shared_ptr<const egress::AddressGuard> guard;
    std::unique_ptr<store::EmbeddedPostgres> embedded;
    std::jthread supervisor;

    std::unique_ptr<Loop> control;
    std::unique_ptr<workers::RetentionKeeper> retention;
    std::unique_ptr<SealerPresence> sealer;
    std::vector<std::unique_ptr<WorkerThread>> worker_threads;
    std::unique_ptr<workers::ShardOwner> owner;
    std::unique_ptr<Task> owner_task;
    std::unique_ptr<store::Pool> replay_pool;
    std::unique_ptr<workers::ReplayRunner> replay;
    std::unique_ptr<workers::BacklogWatch> backlog_watch;
    std::vector<std::unique_ptr<Task>> background;
    std::unique_ptr<Loop> ingest_loop;
    std::unique_ptr<HandOver> hand_over;
    std::unique_ptr<ingest::MessageBatcher> batcher;
    ingest::EnforcedSchemas enforced_schemas;
    std::unique_ptr<Task> hand_over_task, batcher_task;
    std::vector<std::unique_ptr<HttpLoop>> http_loops;
    std::atomic<bool> failed{false};
    bool unclean = false;
};

Service::Service(config::Settings settings) : impl_(std::make_unique<Impl>(std::move(settings))) {
    impl_->start();
}
Service::~Service() = default;

std::string Service::address() const {
    const auto endpoint = impl_->http_loops.front()->server->local_endpoint();
    const std::string host = endpoint.address().to_string();
    return (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(endpoint.port());
}

int Service::run() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    int signal = 0;
    sigwait(&set, &signal);
    impl_->stop();
    impl_->stop_database();
    const bool clean = !impl_->failed && !impl_->unclean;
    spdlog::info(clean ? "stopped" : "stopped, but not cleanly");
    spdlog::default_logger()->flush();
    if (!clean) std::_Exit(1);  // what did not end can not be waited for
    return 0;
}

}  // namespace posthorn::cli
