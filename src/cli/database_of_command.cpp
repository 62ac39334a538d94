#include "cli/database_of_command.hpp"

#include <exception>

namespace posthorn::cli {

namespace asio = boost::asio;

namespace {
constexpr std::chrono::minutes statement_timeout{30};  // a migration may rewrite a table

asio::awaitable<void> connect_and_work(store::ConnectOptions options,
                                       std::function<asio::awaitable<void>(store::Connection&)> work) {
    const auto connection =
        co_await store::Connection::open(co_await asio::this_coro::executor, std::move(options));
    co_await work(*connection);
}
}  // namespace

DatabaseOfCommand::DatabaseOfCommand(const config::Settings& settings) {
    options_.statement_timeout = statement_timeout;
    if (settings.embedded()) {
        store::EmbeddedPostgres::Options embedded;
        embedded.data_dir = settings.data_dir;
        embedded_ = store::EmbeddedPostgres::start(std::move(embedded));
        options_.conninfo = embedded_->conninfo();
    } else {
        options_.conninfo = settings.database_url.reveal();
    }
}

void DatabaseOfCommand::run_to_end(std::function<asio::awaitable<void>(store::Connection&)> work) {
    asio::io_context loop(1);
    std::exception_ptr failure;
    asio::co_spawn(loop, connect_and_work(options_, std::move(work)),
                   [&](std::exception_ptr error) { failure = std::move(error); });
    loop.run();
    if (failure) std::rethrow_exception(failure);
}

}  // namespace posthorn::cli
