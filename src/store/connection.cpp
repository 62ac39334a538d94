#include "store/connection.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <libpq-fe.h>
#include <unistd.h>

namespace posthorn::store {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;

namespace {
constexpr std::string_view syntax_error = "42601";  // no class of lost connections: nothing to wait for
}

DatabaseError::DatabaseError(std::string sqlstate, const std::string& message, std::string constraint)
    : std::runtime_error(message), sqlstate_(std::move(sqlstate)), constraint_(std::move(constraint)) {}

bool DatabaseError::connection_lost() const {
    return sqlstate_.starts_with("08") || sqlstate_.starts_with("57P0") ||
           is(sqlstate::too_many_connections) || is(sqlstate::read_only_transaction);
}

bool DatabaseError::blames_the_data() const {
    // Cardinality, values, constraints, limits, a trigger's own words, damaged rows.
    static constexpr std::array<std::string_view, 6> classes{"21", "22", "23", "54", "P0", "XX"};
    return std::any_of(classes.begin(), classes.end(),
                       [&](std::string_view one) { return sqlstate_.starts_with(one); });
}

namespace {

// A way that is cut without a word is noticed when a lease's time is over, not after hours: by whoever sends,
// and by whoever waits. What the given conninfo says comes last and wins.
PGconn* start_connection(const char* conninfo) {
    static constexpr std::array<const char*, 6> names{
        "tcp_user_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count", "dbname", nullptr};
    const std::array<const char*, 6> values{"5000", "3", "1", "3", conninfo, nullptr};
    constexpr int dbname_is_conninfo = 1;
    return PQconnectStartParams(names.data(), values.data(), dbname_is_conninfo);
}

// The same from the server's side, where a session that nobody can reach any more may hold locks.
constexpr std::string_view server_keepalives =
    "SET tcp_keepalives_idle = 3; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 3; "
    "SET tcp_user_timeout = 5000; ";

}  // namespace

struct Connection::Impl {
    explicit Impl(asio::any_io_executor executor) : socket(executor), deadline(executor) {}
    ~Impl() {
        ++*step_number;
        if (pg != nullptr) PQfinish(pg);
    }

    asio::posix::stream_descriptor socket;  // a duplicate of libpq's descriptor, ours to close
    asio::steady_timer deadline;
    PGconn* pg = nullptr;
    bool broken = false;
    bool timed_out = false;
    // Shared with the deadline's handler, which may still be queued when its step, or this object, has ended.
    std::shared_ptr<std::uint64_t> step_number = std::make_shared<std::uint64_t>(0);
    std::unordered_set<std::string_view> prepared;
    ConnectOptions options;

    [[noreturn]] void fail(const std::string& what) {
        broken = true;
        throw DatabaseError(std::string(sqlstate::connection_failure), what);
    }
    [[noreturn]] void fail_with_message() {
        std::string message = pg == nullptr ? "" : PQerrorMessage(pg);
        while (!message.empty() && (message.back() == '\n' || message.back() == ' ')) message.pop_back();
        fail(message.empty() ? "the database connection was lost" : message);
    }

    void watch() {
        const int fd = PQsocket(pg);
        if (fd < 0) fail_with_message();
        const int copy = ::dup(fd);
        if (copy < 0) fail("no file descriptor is left for a database connection");
        socket.close();
        socket.assign(copy);
    }

    // A deadline for the step that follows: past it the socket is cancelled and the connection counts as
    // lost.
    struct Guard {
        Impl& impl;
        Guard(Impl& owner, std::chrono::milliseconds limit) : impl(owner) {
            impl.timed_out = false;
            impl.deadline.expires_after(limit);
            impl.deadline.async_wait([&owner, current = owner.step_number,
                                      mine = *owner.step_number](boost::system::error_code error) {
                if (error || *current != mine) return;
                owner.timed_out = true;
                boost::system::error_code ignored;
                owner.socket.cancel(ignored);
            });
        }
        ~Guard() {
            ++*impl.step_number;
            impl.deadline.cancel();
        }
        Guard(const Guard&) = delete;
        Guard& operator=(const Guard&) = delete;
    };

    awaitable<void> wait(asio::posix::stream_descriptor::wait_type what) {
        boost::system::error_code error;
        co_await socket.async_wait(what, asio::redirect_error(use_awaitable, error));
        if (timed_out) fail("the database did not answer in time");
        if (error) {
            broken = true;  // cancelled in the middle of a statement: the session's state is unknown
            throw boost::system::system_error(error);
        }
    }

    // libpq's own words about what it can not read repeat it, with the password.
    void check_conninfo() const {
        char* words = nullptr;
        auto* parsed = PQconninfoParse(options.conninfo.c_str(), &words);
        PQfreemem(words);
        if (parsed == nullptr)
            throw DatabaseError(std::string(syntax_error),
                                "the database's URL can not be read: are its quotes and percent-encodings "
                                "right? It may hold a password, so it is not shown");
        PQconninfoFree(parsed);
    }

    awaitable<void> connect() {
        check_conninfo();
        pg = start_connection(options.conninfo.c_str());
        if (pg == nullptr) fail("no memory for a database connection");
        if (PQstatus(pg) == CONNECTION_BAD) fail_with_message();
        Guard guard(*this, options.connect_timeout);
        auto step = PGRES_POLLING_WRITING;
        while (step != PGRES_POLLING_OK) {
            if (step == PGRES_POLLING_FAILED) fail_with_message();
            watch();  // libpq may have gone on to another address, with another descriptor
            co_await wait(step == PGRES_POLLING_READING ? asio::posix::stream_descriptor::wait_read
                                                        : asio::posix::stream_descriptor::wait_write);
            step = PQconnectPoll(pg);
        }
        watch();
        PQsetnonblocking(pg, 1);
    }

    awaitable<void> flush() {
        while (true) {
            const int rest = PQflush(pg);
            if (rest < 0) fail_with_message();
            if (rest == 0) co_return;
            co_await wait(asio::posix::stream_descriptor::wait_write);
            if (PQconsumeInput(pg) == 0) fail_with_message();
        }
    }

    // The last result of what was sent; throws the first error.
    awaitable<PGresult*> finish() {
        co_await flush();
        std::unique_ptr<PGresult, decltype(&PQclear)> last(nullptr, &PQclear), failed(nullptr, &PQclear);
        while (true) {
            while (PQisBusy(pg) != 0) {
                co_await wait(asio::posix::stream_descriptor::wait_read);
                if (PQconsumeInput(pg) == 0) fail_with_message();
            }
            PGresult* result = PQgetResult(pg);
            if (result == nullptr) break;
            const auto status = PQresultStatus(result);
            if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
                if (!failed)
                    failed.reset(result);
                else
                    PQclear(result);
            } else {
                last.reset(result);
            }
        }
        if (failed) raise(failed.get());
        co_return last.release();
    }

    [[noreturn]] void raise(const PGresult* result) {
        const auto field = [&](int code) {
            const char* text = PQresultErrorField(result, code);
            return std::string(text == nullptr ? "" : text);
        };
        auto state = field(PG_DIAG_SQLSTATE);
        if (PQstatus(pg) == CONNECTION_BAD) {
            broken = true;
            if (state.empty()) state = sqlstate::connection_failure;
        }
        auto message = field(PG_DIAG_MESSAGE_PRIMARY);
        if (message.empty()) message = PQerrorMessage(pg);
        DatabaseError error(state, message, field(PG_DIAG_CONSTRAINT_NAME));
        if (error.connection_lost()) broken = true;
        throw error;
    }

    awaitable<Rows> collect(bool sent) {
        if (!sent) fail_with_message();
        co_return Rows(co_await finish());
    }

    // Ours is longer than the server's, so that the server normally speaks first.
    std::chrono::milliseconds patience() const { return options.statement_timeout + std::chrono::seconds(5); }

    awaitable<void> prepare(const Statement& statement, const Params& params) {
        if (prepared.contains(statement.name)) co_return;
        const std::string name(statement.name), text(statement.sql);
        const auto oids = params.oids();
        const bool sent =
            PQsendPrepare(pg, name.c_str(), text.c_str(), static_cast<int>(oids.size()), oids.data()) != 0;
        co_await collect(sent);
        prepared.insert(statement.name);
    }

    std::string session_settings() const {
        std::string sql(server_keepalives);
        sql += fmt::format(
            "SET statement_timeout = {}; SET synchronous_commit = {}; SET timezone = 'UTC'; "
            "SET client_min_messages = warning; SET lock_timeout = 0; "
            "SET idle_in_transaction_session_timeout = '60s'",
            options.statement_timeout.count(), options.asynchronous_commit ? "off" : "on");
        if (options.hot)
            sql +=
                "; SET plan_cache_mode = force_generic_plan; SET jit = off; SET enable_seqscan = off; "
                "SET enable_hashjoin = off; SET enable_mergejoin = off";
        else
            sql += "; SET plan_cache_mode = force_custom_plan";  // optional filters: one plan does not fit
                                                                 // all their values
        return sql;
    }
};

Connection::Connection() = default;
Connection::~Connection() = default;

awaitable<std::unique_ptr<Connection>> Connection::open(asio::any_io_executor executor,
                                                        ConnectOptions options) {
    std::unique_ptr<Connection> connection(new Connection);
    connection->impl_ = std::make_unique<Impl>(executor);
    connection->impl_->options = std::move(options);
    co_await connection->impl_->connect();
    co_await connection->run(
        fmt::format("SET application_name = '{}'", connection->impl_->options.application_name));
    co_await connection->run(connection->impl_->session_settings());
    co_return connection;
}

awaitable<Rows> Connection::exec(const Statement& statement, Params params) {
    Impl::Guard guard(*impl_, impl_->patience());
    co_await impl_->prepare(statement, params);
    const std::string name(statement.name);
    const auto raw = params.raw();
    const bool sent = PQsendQueryPrepared(impl_->pg, name.c_str(), static_cast<int>(params.size()),
                                          raw.values.data(), raw.lengths.data(), raw.formats.data(), 1) != 0;
    co_return co_await impl_->collect(sent);
}

awaitable<Rows> Connection::run(std::string sql) {
    Impl::Guard guard(*impl_, impl_->patience());
    const bool sent = PQsendQuery(impl_->pg, sql.c_str()) != 0;
    co_return co_await impl_->collect(sent);
}

awaitable<Connection::Notification> Connection::next_notification() {
    while (true) {
        std::unique_ptr<PGnotify, decltype(&PQfreemem)> note(PQnotifies(impl_->pg), &PQfreemem);
        if (note) co_return Notification{note->relname, note->extra};
        impl_->timed_out = false;
        co_await impl_->wait(asio::posix::stream_descriptor::wait_read);
        if (PQconsumeInput(impl_->pg) == 0) impl_->fail_with_message();
    }
}

bool Connection::usable() const { return !impl_->broken && PQstatus(impl_->pg) == CONNECTION_OK; }
bool Connection::in_transaction() const { return PQtransactionStatus(impl_->pg) != PQTRANS_IDLE; }

}  // namespace posthorn::store
