#include "sim/receivers.hpp"

#include "domain/signature.hpp"

namespace posthorn::sim {

using boost::asio::awaitable;
using egress::Failure;
using std::chrono::microseconds;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds quickest_answer{1};
constexpr microseconds longest_connect{5'000}, longest_sending{3'000};

const std::string& header(const egress::Request& request, std::string_view name) {
    static const std::string none;
    for (const auto& [key, value] : request.headers)
        if (key == name) return value;
    return none;
}

// What the sender gets to know.
struct Answer {
    Event* event = nullptr;  // null: the sender is gone
    int status = 0;
    std::optional<std::chrono::seconds> retry_after;
};

}  // namespace

void Receivers::heal() {
    for (auto& [endpoint, behaviour] : behaviours_)
        if (behaviour.fails < 1 && behaviour.refuses < 1) behaviour = {};
}

bool Receivers::signature_is_right(const egress::Request& request) const {
    return domain::verify_signature(signing_key_, header(request, "webhook-id"),
                                    header(request, "webhook-timestamp"),
                                    header(request, "webhook-signature"), *request.body,
                                    world_.database_now(), std::chrono::hours(24))
        .valid;
}

awaitable<bool> ScriptedTransport::stays_open(Pending& pending, SteadyTime until) {
    while (!pending.closed)
        if (!co_await pending.event.wait(until)) break;
    co_return !pending.closed;
}

void ScriptedTransport::close(std::uint64_t group) {
    for (Pending* pending : pending_) {
        if (pending->group != group || pending->stage == Stage::sent) continue;
        pending->closed = true;
        pending->event.set();
    }
}

awaitable<egress::Result> ScriptedTransport::post(egress::Request request) {
    auto& world = receivers_.world();
    const auto endpoint = receivers_.endpoint_of(request.url);
    const auto behaviour = receivers_.of(endpoint);
    const auto began = world.now();
    const auto deadline = began + request.timeout;
    Pending pending{.group = request.group, .event = Event(executor_)};
    pending_.push_back(&pending);
    struct Leave {
        ScriptedTransport& transport;
        Pending& pending;
        ~Leave() { transport.pending_.remove(&pending); }
    } leave{*this, pending};
    const auto ended = [&](Failure failure, int status = 0) {
        egress::Result result;
        result.failure = failure;
        result.status = status;
        result.duration = std::chrono::duration_cast<microseconds>(world.now() - began);
        return result;
    };

    const bool refused = world.chance(behaviour.refuses);
    const bool open =
        co_await stays_open(pending, world.now() + world.between(microseconds(0), longest_connect));
    if (!open) co_return ended(Failure::not_started);
    if (refused) co_return ended(Failure::connect);
    if (!request.may_start()) co_return ended(Failure::not_started);

    pending.stage = Stage::sending;
    History::Send planned;
    planned.process = process_;
    planned.endpoint = endpoint;
    planned.message = *MessageId::parse(header(request, "webhook-id"));
    planned.first_byte = world.now();
    planned.last_byte = world.now() + world.between(microseconds(0), longest_sending);
    auto& send = receivers_.history().began(planned);
    const bool signature_is_right = receivers_.signature_is_right(request);
    // What is sent gets there whatever becomes of the process, unless it was cut before the last byte.
    const auto answer = std::make_shared<Answer>();
    answer->event = &pending.event;
    struct LetGo {
        Answer& of;
        ~LetGo() { of.event = nullptr; }
    } let_go{*answer};
    int status = 200;
    if (world.chance(behaviour.gone))
        status = 410;
    else if (world.chance(behaviour.fails))
        status = 500;
    else if (world.chance(behaviour.slows_down))
        status = 429;
    const bool hangs = world.chance(behaviour.hangs);
    std::optional<std::chrono::seconds> retry_after;
    if (status == 429 && world.chance(0.8))
        retry_after = std::chrono::seconds(1 + static_cast<int>(world.draw(5)));
    const auto think = world.between(quickest_answer, std::max(behaviour.slowest, quickest_answer));
    world.at(send.last_byte, [&receivers = receivers_, &send, answer, signature_is_right, status, hangs,
                              retry_after, think, body = request.body] {
        if (send.cut) return;
        receivers.history().arrived(send, signature_is_right, *body);
        if (hangs) return;
        send.status = status;
        send.retry_after = retry_after;
        receivers.world().after(think, [answer, status, retry_after] {
            if (answer->event == nullptr) return;
            answer->status = status;
            answer->retry_after = retry_after;
            answer->event->set();
        });
    });
    if (!co_await stays_open(pending, send.last_byte)) {
        if (send.last_byte > world.now()) {
            send.cut = true;
            co_return ended(Failure::aborted);
        }
    }
    pending.stage = Stage::sent;
    pending.closed = false;
    while (answer->status == 0)
        if (!co_await pending.event.wait(deadline)) break;
    if (answer->status == 0) co_return ended(Failure::timeout);
    auto result = ended(Failure::none, answer->status);
    if (answer->retry_after) result.retry_after = std::to_string(answer->retry_after->count());
    co_return result;
}

}  // namespace posthorn::sim
