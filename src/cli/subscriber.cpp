#include "cli/subscriber.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <utility>

#include "domain/signature.hpp"

namespace posthorn::cli {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {
constexpr std::chrono::minutes tolerance{5};

std::string field(const http::Request& request, std::string_view name) {
    const auto* value = request.fields.find(name);
    return value ? *value : "";
}

std::string event_type_in(const std::string& body) {
    boost::system::error_code error;
    const auto value = json::parse(body, error);
    const auto* object = error ? nullptr : value.if_object();
    if (!object) return {};
    for (const char* name : {"type", "eventType"})
        if (const auto* type = object->if_contains(name); type && type->is_string())
            return {type->get_string().begin(), type->get_string().end()};
    return {};
}
}  // namespace

Subscriber::Subscriber(Options options, std::function<void(const Seen&)> report)
    : options_(std::move(options)), report_(std::move(report)), random_(random_u64()) {}

Subscriber::OfId& Subscriber::of(const std::string& id) {
    const auto [found, is_new] = ids_.try_emplace(id);
    if (is_new) {
        order_.push_back(id);
        if (order_.size() > remembered_ids) {
            ids_.erase(order_.front());
            order_.pop_front();
        }
    }
    return found->second;
}

Subscriber::Seen Subscriber::examine(const http::Request& request) {
    Seen seen;
    seen.time = RealClock().system_now();
    seen.id = field(request, "webhook-id");
    seen.event_type = event_type_in(request.body);
    seen.path = request.path;
    seen.body_bytes = request.body.size();
    if (options_.secret.empty()) return seen;
    const auto result =
        domain::verify_signature(options_.secret, seen.id, field(request, "webhook-timestamp"),
                                 field(request, "webhook-signature"), request.body, seen.time, tolerance);
    seen.checked = true;
    seen.valid = result.valid;
    seen.reason = result.reason;
    return seen;
}

asio::awaitable<http::Response> Subscriber::answer(http::Request& request) {
    auto seen = examine(request);
    const bool refused = seen.checked && !seen.valid;
    const bool fails = options_.fail.next_fails(random_);
    seen.answer = refused ? 401 : fails ? options_.fail_status : 200;
    if (options_.slow.count() > 0) {
        asio::steady_timer timer(co_await asio::this_coro::executor, options_.slow);
        co_await timer.async_wait(asio::use_awaitable);
    }
    ++counts_.requests;
    ++(seen.answer == 200 ? counts_.succeeded : counts_.failed);
    if (refused) ++counts_.invalid;
    if (!seen.id.empty()) {
        auto& known = of(seen.id);
        seen.request_of_id = ++known.requests;
        seen.duplicate = known.succeeded;
        known.succeeded |= seen.answer == 200;
        if (seen.duplicate) ++counts_.duplicates;
    }
    report_(seen);
    http::Response response;
    response.status = seen.answer;
    co_return response;
}

}  // namespace posthorn::cli
