#include "cli/demo_receiver.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/clock.hpp"
#include "domain/signature.hpp"

namespace posthorn::cli {

namespace {
constexpr std::chrono::minutes tolerance{5};

std::string field(const http::Request& request, std::string_view name) {
    const auto* value = request.fields.find(name);
    return value ? *value : "";
}
}  // namespace

DemoReceiver::DemoReceiver(std::string secret, Fails fails)
    : secret_(std::move(secret)),
      fails_(std::move(fails)),
      server_(std::make_unique<WebhookReceiver>(
          [this](http::Request& request) -> boost::asio::awaitable<http::Response> {
              co_return answer(request);
          })) {}

http::Response DemoReceiver::answer(const http::Request& request) {
    const auto id = field(request, "webhook-id");
    const auto check = domain::verify_signature(secret_, id, field(request, "webhook-timestamp"),
                                                field(request, "webhook-signature"), request.body,
                                                RealClock().system_now(), tolerance);
    const std::lock_guard lock(mutex_);
    ++seen_.requests;
    if (!check.valid) {
        ++seen_.invalid_signatures;
        return http::empty_response(401);
    }
    auto& message = seen_.messages[id];
    if (++message.requests == 1) message.body = request.body;
    message.same_body = message.same_body && message.body == request.body;
    if (fails_(request.body, message.requests)) return http::empty_response(500);
    ++message.succeeded;
    return http::empty_response(200);
}

DemoReceiver::Seen DemoReceiver::seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
}

int DemoReceiver::Seen::succeeded_messages() const {
    return static_cast<int>(std::count_if(messages.begin(), messages.end(),
                                          [](const auto& entry) { return entry.second.succeeded > 0; }));
}

int DemoReceiver::Seen::duplicates() const {
    return std::accumulate(messages.begin(), messages.end(), 0, [](int sum, const auto& entry) {
        return sum + std::max(0, entry.second.succeeded - 1);
    });
}

}  // namespace posthorn::cli
