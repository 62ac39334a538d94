#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>

#include "store/connection.hpp"

namespace posthorn::store {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;

namespace {
constexpr std::chrono::seconds longest_wait_for_a_connection{5};
}

struct Pool::Impl {
    asio::any_io_executor executor;
    ConnectOptions options;
    std::size_t limit;
    std::size_t open = 0;  // idle and lent
    std::vector<std::unique_ptr<Connection>> idle;
    std::deque<std::shared_ptr<asio::steady_timer>> waiting;  // cancelled when it is their turn

    void wake_one() {
        if (waiting.empty()) return;
        waiting.front()->cancel();
        waiting.pop_front();
    }
    void give_back(std::unique_ptr<Connection> connection) {
        if (connection && connection->usable() && !connection->in_transaction())
            idle.push_back(std::move(connection));
        else
            --open;
        wake_one();
    }
};

Pool::Pool(asio::any_io_executor executor, ConnectOptions options, std::size_t limit)
    : impl_(std::make_shared<Impl>(Impl{executor, std::move(options), limit, 0, {}, {}})) {}
Pool::~Pool() = default;
asio::any_io_executor Pool::executor() const { return impl_->executor; }

Pool::Lease::Lease(Pool& pool, std::unique_ptr<Connection> connection)
    : pool_(&pool), connection_(std::move(connection)) {}
Pool::Lease::Lease(Lease&&) noexcept = default;
Pool::Lease::~Lease() {
    if (connection_) pool_->impl_->give_back(std::move(connection_));
}

awaitable<Pool::Lease> Pool::acquire() {
    auto impl = impl_;
    const auto deadline = std::chrono::steady_clock::now() + longest_wait_for_a_connection;
    while (true) {
        while (!impl->idle.empty()) {
            auto connection = std::move(impl->idle.back());
            impl->idle.pop_back();
            if (connection->usable()) co_return Lease(*this, std::move(connection));
            --impl->open;
        }
        if (impl->open < impl->limit) break;
        auto turn = std::make_shared<asio::steady_timer>(impl->executor, deadline);
        impl->waiting.push_back(turn);
        boost::system::error_code error;
        co_await turn->async_wait(asio::redirect_error(use_awaitable, error));
        const bool cancelled =
            (co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none;
        if (error && !cancelled) continue;
        // Woken in the moment of giving up: somebody else's turn.
        if (std::erase(impl->waiting, turn) == 0) impl->wake_one();
        if (cancelled) throw boost::system::system_error(asio::error::operation_aborted);
        throw DatabaseError(std::string(sqlstate::too_many_connections),
                            "every database connection is in use");
    }
    ++impl->open;
    std::unique_ptr<Connection> connection;
    try {
        connection = co_await Connection::open(impl->executor, impl->options);
    } catch (...) {
        --impl->open;
        impl->wake_one();
        throw;
    }
    co_return Lease(*this, std::move(connection));
}

awaitable<Rows> Pool::exec(const Statement& statement, Params params) {
    auto lease = co_await acquire();
    co_return co_await lease->exec(statement, std::move(params));
}

}  // namespace posthorn::store
