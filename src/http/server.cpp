#include "http/server.hpp"

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <optional>
#include <spdlog/spdlog.h>
#include <stdexcept>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "http/connection.hpp"
#include "http/listener.hpp"
#include "http/request_id.hpp"
#include "http/response_text.hpp"

namespace posthorn::http {
namespace asio = boost::asio;
using asio::redirect_error;
using asio::use_awaitable;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::chrono::milliseconds sweep_interval{250};  // timeouts are as precise as this
constexpr std::chrono::milliseconds accept_pause{100};    // when descriptors or memory are used up
constexpr std::chrono::seconds accept_complaint_interval{1};
constexpr std::size_t share_that_makes_room = 100;  // of all connections one of so many

SteadyTime now() { return std::chrono::steady_clock::now(); }

// Best effort, since nothing may be spent on it: the socket's send buffer is empty and takes it at once.
void refuse_as_overloaded(tcp::socket& socket) {
    const Problem problem{503, "overloaded", "The server has too many connections; try again later."};
    std::string answer;
    append_response(answer, to_response(problem), {.request_id = choose_request_id({}), .close = true});
    error_code ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(asio::buffer(answer), ignored);
    socket.shutdown(asio::socket_base::shutdown_send, ignored);
}

}  // namespace

struct Server::Impl {
    Impl(ServerOptions options, std::shared_ptr<const Router> router)
        : service(std::make_shared<const Service>(std::move(options), std::move(router))) {}

    std::shared_ptr<const Service> service;
    std::optional<tcp::acceptor> acceptor;
    std::optional<asio::steady_timer> sweep_timer;
    std::optional<asio::steady_timer> accept_timer;
    std::unordered_set<std::shared_ptr<Connection>> connections;
    SteadyTime complained_at{};
    SteadyTime cut_at = SteadyTime::max();
    bool stopping = false;

    asio::awaitable<void> accept_connections();
    asio::awaitable<void> pause_accepting(error_code error);
    void start_connection(tcp::socket socket, const tcp::endpoint& peer);
    bool make_room();
    void end_connection(const std::shared_ptr<Connection>& connection, const std::exception_ptr& failure);

    asio::awaitable<void> sweep_connections();
    void sweep();
    void bound_bodies();
    void stop(std::chrono::milliseconds grace);
    std::vector<std::shared_ptr<Connection>> open_connections() const;
};

// ---- accepting

asio::awaitable<void> Server::Impl::accept_connections() {
    co_await asio::this_coro::throw_if_cancelled(false);
    while (!stopping) {
        tcp::socket socket(acceptor->get_executor());
        tcp::endpoint peer;
        error_code error;
        co_await acceptor->async_accept(socket, peer, redirect_error(use_awaitable, error));
        if (stopping || error == asio::error::operation_aborted) co_return;
        if (error == asio::error::connection_aborted) continue;
        if (error)
            co_await pause_accepting(error);
        else
            start_connection(std::move(socket), peer);
    }
}

asio::awaitable<void> Server::Impl::pause_accepting(error_code error) {
    if (now() - complained_at >= accept_complaint_interval) {
        complained_at = now();
        spdlog::warn("can't accept connections for the moment ({} are open): {}", connections.size(),
                     error.message());
    }
    accept_timer->expires_after(accept_pause);
    error_code woken;  // early, by stop()
    co_await accept_timer->async_wait(redirect_error(use_awaitable, woken));
}

void Server::Impl::start_connection(tcp::socket socket, const tcp::endpoint& peer) {
    if (connections.size() >= service->options.connection_limit && !make_room())
        return refuse_as_overloaded(socket);
    error_code gone;  // a client that has left already is seen by the first read
    socket.non_blocking(true, gone);
    socket.set_option(tcp::no_delay(true), gone);
    auto connection = std::make_shared<Connection>(std::move(socket), peer, service);
    connections.insert(connection);
    asio::co_spawn(acceptor->get_executor(), Connection::serve(connection),
                   asio::bind_cancellation_slot(connection->cancellation_slot(),
                                                [this, connection](const std::exception_ptr& failure) {
                                                    end_connection(connection, failure);
                                                }));
}

// Ends those that have been idle longest: whoever holds many without a request keeps nobody else out. Several
// at once, since looking through all of them is dear. They are counted until their coroutines have ended.
bool Server::Impl::make_room() {
    std::vector<std::pair<SteadyTime, Connection*>> idle;
    for (const auto& connection : connections)
        if (const auto since = connection->idle_since()) idle.emplace_back(*since, connection.get());
    const auto count = std::min(idle.size(), connections.size() / share_that_makes_room + 1);
    std::ranges::partial_sort(idle, idle.begin() + static_cast<std::ptrdiff_t>(count));
    for (std::size_t i = 0; i < count; ++i) idle[i].second->end_if_idle();
    return count > 0;
}

void Server::Impl::end_connection(const std::shared_ptr<Connection>& connection,
                                  const std::exception_ptr& failure) {
    connections.erase(connection);
    if (stopping && connections.empty()) sweep_timer->cancel();
    if (!failure || connection->was_cut()) return;
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& error) {
        spdlog::error("a connection ended by an unexpected error: {}", error.what());
    }
}

// ---- deadlines and the end

// A copy: what these connections do next may end some of them.
std::vector<std::shared_ptr<Connection>> Server::Impl::open_connections() const {
    return {connections.begin(), connections.end()};
}

asio::awaitable<void> Server::Impl::sweep_connections() {
    co_await asio::this_coro::throw_if_cancelled(false);
    bool was_cancelled = false;
    while (!stopping || !connections.empty()) {
        sweep_timer->expires_at(std::min(now() + sweep_interval, cut_at));
        error_code woken;  // early, by stop(), by the last connection's end or by cancellation
        co_await sweep_timer->async_wait(redirect_error(use_awaitable, woken));
        const auto cancellation = co_await asio::this_coro::cancellation_state;
        if (!was_cancelled && cancellation.cancelled() != asio::cancellation_type::none) {
            was_cancelled = true;
            stop(std::chrono::milliseconds(0));
        }
        sweep();
    }
}

void Server::Impl::sweep() {
    const auto time = now();
    const bool grace_is_over = time >= cut_at;
    // Cut once: from then on only handlers that take their time to end are waited for.
    if (grace_is_over) cut_at = SteadyTime::max();
    for (const auto& connection : open_connections()) {
        connection->expire(time);
        if (grace_is_over) connection->cut();
    }
    bound_bodies();
}

// The largest go first, so that many clients who send megabytes without end keep no usual event out.
void Server::Impl::bound_bodies() {
    std::vector<std::pair<std::size_t, Connection*>> unfinished;
    std::size_t held_bytes = 0;
    for (const auto& connection : connections) {
        const auto bytes = connection->unfinished_body_bytes();
        if (bytes == 0) continue;
        held_bytes += bytes;
        unfinished.emplace_back(bytes, connection.get());
    }
    const auto limit = service->options.unfinished_bodies_limit_bytes;
    if (held_bytes <= limit) return;
    std::ranges::sort(unfinished, std::greater{});
    for (const auto& [bytes, connection] : unfinished) {
        if (held_bytes <= limit) return;
        connection->refuse(
            {503, "overloaded", "The server holds too many unfinished bodies; try again later."});
        held_bytes -= bytes;
    }
}

void Server::Impl::stop(std::chrono::milliseconds grace) {
    cut_at = std::min(cut_at, now() + grace);
    if (!stopping) {
        stopping = true;
        error_code ignored;  // closing releases the port in any case
        if (acceptor) acceptor->close(ignored);
        for (const auto& connection : open_connections()) connection->begin_stop();
    }
    if (accept_timer) accept_timer->cancel();
    if (sweep_timer) sweep_timer->cancel();
}

// ---- the public face

Server::Server(ServerOptions options, std::shared_ptr<const Router> router)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(router))) {}

Server::~Server() = default;

void Server::open(asio::any_io_executor executor) {
    const auto& options = impl_->service->options;
    impl_->acceptor.emplace(open_listener(executor, options.listen,
                                          options.reuse_port ? PortSharing::shared : PortSharing::exclusive));
    impl_->sweep_timer.emplace(executor);
    impl_->accept_timer.emplace(std::move(executor));
}

tcp::endpoint Server::local_endpoint() const { return impl_->acceptor.value().local_endpoint(); }

asio::awaitable<void> Server::run() {
    using namespace asio::experimental::awaitable_operators;
    if (!impl_->acceptor) throw std::logic_error("the server was not opened");
    co_await (impl_->accept_connections() && impl_->sweep_connections());
}

void Server::stop(std::chrono::milliseconds grace) { impl_->stop(grace); }

}  // namespace posthorn::http
