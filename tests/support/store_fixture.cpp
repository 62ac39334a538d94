#include "support/store_fixture.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "store/migrations.hpp"

namespace posthorn::test {

namespace {
constexpr std::chrono::seconds run_limit{60};
SystemTime now() { return RealClock().system_now(); }
}  // namespace

StoreFixture::StoreFixture() : conninfo_(TestPostgres::instance().make_database()) {
    auto connection = open();
    run([](store::Connection& to) -> boost::asio::awaitable<void> {
        co_await store::migrate(to);
    }(*connection));
    sql("SELECT make_partitions(now() - interval '3 weeks', now() + interval '2 weeks')");
}

store::ConnectOptions StoreFixture::connect_options(bool hot) const {
    store::ConnectOptions options;
    options.conninfo = conninfo_;
    options.hot = hot;
    return options;
}

std::unique_ptr<store::Connection> StoreFixture::open(bool hot) {
    return run(store::Connection::open(io_.get_executor(), connect_options(hot)));
}

void StoreFixture::allow_writes(bool allowed) const {
    sql(fmt::format("BEGIN READ WRITE; ALTER DATABASE {} SET default_transaction_read_only = {}; COMMIT",
                    sql("SELECT current_database()"), allowed ? "off" : "on"));
}

void StoreFixture::run_to_end(boost::asio::awaitable<void> work) {
    bool ended = false;
    std::exception_ptr failure;
    boost::asio::co_spawn(io_, std::move(work), [&](std::exception_ptr error) {
        failure = error;
        ended = true;
    });
    io_.restart();
    const auto deadline = std::chrono::steady_clock::now() + run_limit;
    while (!ended) {
        if (std::chrono::steady_clock::now() >= deadline)
            throw std::runtime_error("a test's coroutine did not end in time");
        io_.run_one_for(std::chrono::milliseconds(100));
        if (io_.stopped()) io_.restart();
    }
    if (failure) std::rethrow_exception(failure);
}

ApplicationId StoreFixture::make_application() {
    const auto id = ApplicationId::make(now());
    sql(fmt::format("INSERT INTO application (id, org_id, name) VALUES ('{}', '{}', 'test')",
                    to_string(id.value), to_string(Uuid{})));
    return id;
}

EndpointId StoreFixture::make_endpoint(ApplicationId application, int shard, const std::string& more_columns,
                                       const std::string& values) {
    const auto id = EndpointId::make(now());
    sql(fmt::format(
        "INSERT INTO endpoint (id, app_id, org_id, url, shard{}) VALUES ('{}', '{}', '{}', "
        "'http://127.0.0.1/', {}{})",
        more_columns.empty() ? "" : ", " + more_columns, to_string(id.value), to_string(application.value),
        to_string(Uuid{}), shard, values.empty() ? "" : ", " + values));
    return id;
}

MessageId StoreFixture::make_message(ApplicationId application, const std::string& payload) {
    const auto id = MessageId::make(now());
    sql(
        fmt::format("INSERT INTO message (app_id, id, event_type, payload) VALUES ('{}', '{}', 'test.made', "
                    "convert_to('{}', 'UTF8'))",
                    to_string(application.value), to_string(id.value), payload));
    return id;
}

std::int64_t StoreFixture::make_delivery(ApplicationId application, EndpointId endpoint, MessageId message,
                                         int shard, const std::string& due_at) {
    return std::stoll(sql(fmt::format(
        "INSERT INTO delivery (app_id, endpoint_id, message_id, shard, due_at) VALUES ('{}', '{}', '{}', {}, "
        "{}) RETURNING run_id",
        to_string(application.value), to_string(endpoint.value), to_string(message.value), shard, due_at)));
}

}  // namespace posthorn::test
