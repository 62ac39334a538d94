#include "fault/receiver_log.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <exception>

#include "cli/webhook_receiver.hpp"
#include "domain/signature.hpp"

namespace posthorn::fault {

namespace asio = boost::asio;

namespace {
constexpr std::chrono::milliseconds slow_answer{700};

std::string field(const http::Request& request, std::string_view name) {
    const auto* value = request.fields.find(name);
    return value ? *value : "";
}

std::optional<std::size_t> endpoint_in(const std::string& path) {
    std::size_t endpoint = 0;
    if (path.size() < 2) return std::nullopt;
    const auto [end, error] = std::from_chars(path.data() + 1, path.data() + path.size(), endpoint);
    if (error != std::errc{} || endpoint >= endpoint_plans.size()) return std::nullopt;
    return endpoint;
}

// Reachable from the second network, too.
http::ServerOptions listening_everywhere() {
    http::ServerOptions options;
    options.listen = {asio::ip::address_v4::any(), 0};
    options.access_log = false;
    return options;
}

void end_on_failure(const std::exception_ptr& failure) {
    if (failure) std::rethrow_exception(failure);  // ends the rig: nothing would be received any more
}
}  // namespace

ReceiverLog::ReceiverLog(std::uint64_t seed)
    : seed_(seed),
      server_(std::make_unique<http::Server>(
          listening_everywhere(),
          cli::make_webhook_router([this](http::Request& request) { return answer(request); }))) {
    server_->open(loop_.get_executor());
    port_ = server_->local_endpoint().port();
    asio::co_spawn(loop_, server_->run(), end_on_failure);
    thread_ = std::thread([this] { loop_.run(); });
}

ReceiverLog::~ReceiverLog() {
    asio::post(loop_, [this] { server_->stop(std::chrono::milliseconds(0)); });
    thread_.join();
}

void ReceiverLog::set_secret(std::size_t endpoint, std::string secret) {
    const std::lock_guard lock(mutex_);
    secrets_[endpoint] = std::move(secret);
}

bool ReceiverLog::is_signed(std::size_t endpoint, const http::Request& request) const {
    const auto secret = secrets_.find(endpoint);
    return secret != secrets_.end() &&
           domain::verify_signature(secret->second, field(request, "webhook-id"),
                                    field(request, "webhook-timestamp"), field(request, "webhook-signature"),
                                    request.body, RealClock().system_now(), std::chrono::minutes(5))
               .valid;
}

int ReceiverLog::status_for(const Arrival& arrival) {
    if (arrival.endpoint == dead && dead_refuses_) return 503;
    if (arrival.endpoint != flaky) return 200;
    const int wanted = refusals_of(seed_, arrival.number);
    if (wanted == 0 || refused_[arrival.number] >= wanted) return 200;
    ++refused_[arrival.number];
    return 500;
}

asio::awaitable<http::Response> ReceiverLog::answer(http::Request& request) {
    const auto at = std::chrono::steady_clock::now();
    const auto endpoint = endpoint_in(request.path);
    const auto number = number_in(request.body);
    const auto message = MessageId::parse(field(request, "webhook-id"));
    http::Response response;
    {
        const std::lock_guard lock(mutex_);
        if (!endpoint || !number || !message) {
            ++strangers_;
            response.status = 400;
            co_return response;
        }
        Arrival arrival{.at = at,
                        .message = message->value,
                        .number = *number,
                        .endpoint = static_cast<std::uint8_t>(*endpoint),
                        .right_signature = is_signed(*endpoint, request),
                        .right_bytes = request.body == payload_of(seed_, *number)};
        response.status = status_for(arrival);
        arrival.taken = response.status == 200;
        arrivals_.push_back(arrival);
    }
    if (*endpoint == slow) {
        asio::steady_timer timer(loop_, slow_answer);
        co_await timer.async_wait(asio::use_awaitable);
    }
    co_return response;
}

std::vector<Arrival> ReceiverLog::arrivals() const {
    const std::lock_guard lock(mutex_);
    return arrivals_;
}

std::size_t ReceiverLog::strangers() const {
    const std::lock_guard lock(mutex_);
    return strangers_;
}

}  // namespace posthorn::fault
