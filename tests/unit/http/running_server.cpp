#include "running_server.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <stdexcept>

#include "support/becomes_true.hpp"

namespace posthorn::http::test {
namespace asio = boost::asio;
using namespace std::chrono_literals;
using posthorn::test::becomes_true;

namespace {

constexpr auto poll_interval = 1ms;

ServerOptions on_loopback(ServerOptions options) {
    options.listen = {asio::ip::address_v4::loopback(), 0};
    options.access_log = false;
    return options;
}

Response text(std::string body) {
    Response response;
    response.content_type = "text/plain";
    response.body = std::move(body);
    return response;
}

}  // namespace

asio::awaitable<void> Gate::pass() {
    ++waiting;
    while (!open_) {
        boost::system::error_code woken;
        co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) ++cancelled;
        if (state.cancelled() != asio::cancellation_type::none)
            throw boost::system::system_error(asio::error::operation_aborted);
    }
}

void Gate::open() {
    open_ = true;
    timer_.cancel();
}

RunningServer::RunningServer(ServerOptions options)
    : gate_(context_), server_(on_loopback(std::move(options)), make_router()) {
    server_.open(context_.get_executor());
    port_ = server_.local_endpoint().port();
    auto finish = [this](std::exception_ptr failure) {
        failure_ = std::move(failure);
        ended_ = true;
    };
    asio::co_spawn(context_, server_.run(), asio::bind_cancellation_slot(cancellation_.slot(), finish));
    thread_ = std::thread([this] { context_.run(); });
}

RunningServer::~RunningServer() {
    if (!ended_) stop(0ms);
    thread_.join();
}

std::shared_ptr<const Router> RunningServer::make_router() {
    auto router = std::make_shared<Router>();
    router->add(Method::get, "/hello",
                [](Request&) -> asio::awaitable<Response> { co_return text("hello"); });
    router->add(Method::get, "/large",
                [](Request&) -> asio::awaitable<Response> { co_return text(std::string(8 << 20, 'x')); });
    router->add(Method::get, "/throws", [](Request&) -> asio::awaitable<Response> {
        throw std::runtime_error("a secret of the inside");
        co_return Response{};
    });
    router->add(Method::get, "/app/{name}", [](Request& request) -> asio::awaitable<Response> {
        co_return text(request.parameter("name"));
    });
    router->add(Method::post, "/echo",
                [](Request& request) -> asio::awaitable<Response> { co_return text(request.body); });
    router->add(Method::post, "/gated", [this](Request& request) -> asio::awaitable<Response> {
        co_await gate_.pass();
        co_return text(request.body);
    });
    return router;
}

void RunningServer::open_gate() {
    asio::post(context_, [this] { gate_.open(); });
}

void RunningServer::wait_for_waiting(int handlers) const {
    if (!becomes_true([&] { return gate_.waiting >= handlers; }, 5s, poll_interval))
        throw std::runtime_error("the handlers did not start");
}

void RunningServer::stop(std::chrono::milliseconds grace) {
    asio::post(context_, [this, grace] { server_.stop(grace); });
}

void RunningServer::cancel() {
    asio::post(context_, [this] { cancellation_.emit(asio::cancellation_type::terminal); });
}

bool RunningServer::ends_within(std::chrono::milliseconds time) {
    return becomes_true([&] { return ended_.load(); }, time, poll_interval);
}

}  // namespace posthorn::http::test
