#include "support/receiver.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace posthorn::test {

namespace asio = boost::asio;

namespace {
constexpr std::chrono::milliseconds hold_poll{2};

std::string field(const http::Request& request, std::string_view name) {
    const auto* value = request.fields.find(name);
    return value ? *value : "";
}

asio::awaitable<void> pause(std::chrono::milliseconds time) {
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(asio::use_awaitable);
}
}  // namespace

Receiver::Receiver(Answer always) {
    answer_always(std::move(always));
    server_ =
        std::make_unique<cli::WebhookReceiver>([this](http::Request& request) { return answer(request); });
}

Receiver::~Receiver() = default;

asio::awaitable<http::Response> Receiver::answer(http::Request& request) {
    Received received{.method = std::string(http::to_string(request.method)),
                      .path = request.path,
                      .body = request.body,
                      .id = field(request, "webhook-id"),
                      .timestamp = field(request, "webhook-timestamp"),
                      .signature = field(request, "webhook-signature"),
                      .fields = request.fields,
                      .at = std::chrono::steady_clock::now()};
    const auto chosen = choose_answer(received);
    const auto is_held = [this] {
        const std::lock_guard lock(mutex_);
        return held_;
    };
    while (is_held()) co_await pause(hold_poll);
    if (chosen.delay.count() > 0) co_await pause(chosen.delay);
    http::Response response;
    response.status = chosen.status;
    response.body = chosen.body;
    response.content_type = "text/plain";
    for (const auto& [name, value] : chosen.fields) response.fields.add(name, value);
    co_return response;
}

Answer Receiver::choose_answer(const Received& request) {
    const std::lock_guard lock(mutex_);
    received_.push_back(request);
    arrived_.notify_all();
    if (next_.empty()) return rule_(request);
    auto answer = std::move(next_.front());
    next_.pop_front();
    return answer;
}

void Receiver::answer_always(Answer answer) {
    answer_by([answer = std::move(answer)](const Received&) { return answer; });
}

void Receiver::answer_next(std::vector<Answer> answers) {
    const std::lock_guard lock(mutex_);
    next_.assign(std::make_move_iterator(answers.begin()), std::make_move_iterator(answers.end()));
}

void Receiver::answer_by(std::function<Answer(const Received&)> rule) {
    const std::lock_guard lock(mutex_);
    rule_ = std::move(rule);
}

void Receiver::hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
}

void Receiver::release() {
    const std::lock_guard lock(mutex_);
    held_ = false;
}

std::vector<Received> Receiver::received() const {
    const std::lock_guard lock(mutex_);
    return received_;
}

std::size_t Receiver::count() const {
    const std::lock_guard lock(mutex_);
    return received_.size();
}

void Receiver::clear() {
    const std::lock_guard lock(mutex_);
    received_.clear();
}

bool Receiver::wait_for(std::size_t count, std::chrono::milliseconds limit) const {
    return wait_until([&](const std::vector<Received>& requests) { return requests.size() >= count; }, limit);
}

bool Receiver::wait_until(const std::function<bool(const std::vector<Received>&)>& condition,
                          std::chrono::milliseconds limit) const {
    std::unique_lock lock(mutex_);
    return arrived_.wait_for(lock, limit, [&] { return condition(received_); });
}

domain::Verification verify(const Received& request, std::string_view secret) {
    return domain::verify_signature(secret, request.id, request.timestamp, request.signature, request.body,
                                    RealClock().system_now(), std::chrono::minutes(5));
}

}  // namespace posthorn::test
