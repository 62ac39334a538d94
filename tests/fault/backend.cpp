#include "fault/backend.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <stdexcept>

#include "fault/event.hpp"

namespace posthorn::fault {

namespace json = boost::json;
using std::chrono::milliseconds;

namespace {
constexpr std::uint64_t threads = 24;
constexpr milliseconds patience{5'000};
// A change that was given up might still be made later, after the next one.
constexpr milliseconds patience_of_changes{60'000};
constexpr milliseconds after_a_refusal{200};  // and up to as much again
constexpr std::uint32_t sent_twice_every = 50;

SteadyTime now() { return std::chrono::steady_clock::now(); }

std::string text_at(const std::string& body, std::string_view name) {
    return json::value_to<std::string>(json::parse(body).as_object().at(name));
}
}  // namespace

Backend::Backend(Options options, FaultLog& log)
    : options_(std::move(options)), log_(log), events_(options_.most_events) {}

Backend::~Backend() { give_up(); }

Backend::Clients Backend::make_clients(milliseconds timeout) const {
    Clients clients;
    for (const auto& server : options_.servers)
        clients.emplace_back(egress::ApiClient::Options{.server = server,
                                                        .token = Secret(options_.token),
                                                        .connect_timeout = milliseconds(1'000),
                                                        .timeout = timeout});
    return clients;
}

void Backend::violated(std::string what) {
    log_.tell(what);
    const std::lock_guard lock(mutex_);
    violations_.push_back(std::move(what));
}

void Backend::pause(milliseconds time) const {
    for (const auto until = now() + time; now() < until && !given_up_;)
        std::this_thread::sleep_for(std::min<Duration>(until - now(), milliseconds(20)));
}

// ---- before the run

std::string Backend::expect(egress::ApiClient& client, std::string_view method, const std::string& path,
                            const std::string& body, int status) const {
    const auto answer = client.call(method, path, body);
    if (answer.status != status)
        throw std::runtime_error(fmt::format("{} {} gave {}: {}", method, path, answer.status, answer.body));
    return answer.body;
}

std::vector<std::string> Backend::prepare(const std::string& url) {
    auto clients = make_clients(patience_of_changes);
    auto& client = clients.front();
    application_ = text_at(expect(client, "POST", "/api/v1/app", R"({"name":"The rig's"})", 201), "id");
    const auto path = "/api/v1/app/" + application_ + "/endpoint";
    std::vector<std::string> secrets;
    for (std::size_t i = 0; i < endpoint_plans.size(); ++i) {
        json::object body{{"url", fmt::format("{}/{}", url, i)}, {"ordered", endpoint_plans.at(i).ordered}};
        if (!endpoint_plans.at(i).type.empty())
            body["filterTypes"].emplace_array().emplace_back(std::string(endpoint_plans.at(i).type));
        const auto id = text_at(expect(client, "POST", path, json::serialize(body), 201), "id");
        endpoints_.push_back(EndpointId::parse(id).value());
        secrets.push_back(text_at(expect(client, "GET", path + "/" + id + "/secret", "", 200), "key"));
    }
    return secrets;
}

// ---- events

void Backend::start() {
    started_ = now();
    running_ = static_cast<int>(threads) + 1;
    for (std::uint64_t i = 0; i < threads; ++i)
        threads_.emplace_back([this, i] {
            send_events(i);
            --running_;
        });
    threads_.emplace_back([this] {
        switch_endpoint();
        --running_;
    });
}

void Backend::give_up() {
    stopping_ = true;
    given_up_ = true;
    threads_.clear();
}

void Backend::send_events(std::uint64_t thread) {
    auto clients = make_clients(patience);
    while (!stopping_) {
        const auto number = next_++;
        if (number >= options_.most_events) {
            --next_;
            return;
        }
        const auto due =
            started_ + std::chrono::microseconds(std::int64_t{number} * 1'000'000 / options_.events_a_second);
        std::this_thread::sleep_until(due);
        events_[number].first_sent = now();
        send(clients, number, thread + number);
    }
}

void Backend::send(Clients& clients, std::uint32_t number, std::uint64_t first) {
    Random random(options_.seed ^ first);
    for (auto turn = first; !given_up_; ++turn) {
        if (const auto message = submit(clients[turn % clients.size()], number)) {
            acknowledged(number, *message);
            if (number % sent_twice_every != 0) return;
            if (const auto again = submit(clients[(turn + 1) % clients.size()], number))
                acknowledged(number, *again);
            return;
        }
        pause(after_a_refusal + milliseconds(random.next() % 200));
    }
}

std::optional<MessageId> Backend::submit(egress::ApiClient& client, std::uint32_t number) {
    const auto body = fmt::format(R"({{"eventType":"{}","payload":{}}})", type_of(options_.seed, number),
                                  payload_of(options_.seed, number));
    try {
        const auto answer = client.call("POST", "/api/v1/app/" + application_ + "/msg", body,
                                        {{"Idempotency-Key", fmt::format("rig-{}", number)}});
        if (answer.status == 202) return MessageId::parse(text_at(answer.body, "id"));
        if (answer.status < 500 && answer.status != 429)
            violated(fmt::format("event {} was refused with {}: {}", number, answer.status, answer.body));
    } catch (const egress::ApiUnreachable&) {
        // Again, elsewhere.
    }
    return std::nullopt;
}

void Backend::acknowledged(std::uint32_t number, MessageId message) {
    auto& event = events_[number];
    if (event.acknowledged && event.message != message)
        violated(fmt::format("I2: the key of event {} gave {} and {}", number, event.message.str(),
                             message.str()));
    if (event.acknowledged) return;
    event.message = message;
    event.acknowledged = now();
}

// ---- the endpoint that is switched off and on

bool Backend::disable(Clients& clients, bool disabled) {
    const auto path = fmt::format("/api/v1/app/{}/endpoint/{}", application_, endpoints_[switched].str());
    for (std::size_t turn = 0; !given_up_; ++turn) {
        try {
            const auto answer = clients[turn % clients.size()].call(
                "PATCH", path, disabled ? R"({"disabled":true})" : R"({"disabled":false})");
            if (answer.status == 200) return true;
            if (answer.status < 500 && answer.status != 429)
                violated(fmt::format("a change of an endpoint was refused with {}: {}", answer.status,
                                     answer.body));
        } catch (const egress::ApiUnreachable&) {
            // Again, elsewhere.
        }
        pause(after_a_refusal);
    }
    return false;
}

void Backend::switch_endpoint() {
    auto clients = make_clients(patience_of_changes);
    Random random(options_.seed ^ 0x5317C4ull);
    const auto wait = [&](std::uint64_t least, std::uint64_t most) {
        for (auto left = least + random.next() % (most - least); left > 0 && !stopping_;
             left -= std::min<std::uint64_t>(left, 50))
            pause(milliseconds(50));
    };
    for (wait(1'000, 3'000); !stopping_ && !given_up_; wait(500, 2'500)) {
        Closure closure{.asked = now(), .answered = {}};
        if (!disable(clients, true)) return;
        closure.answered = now();
        wait(500, 4'000);
        closure.reopened_asked = now();
        if (!disable(clients, false)) return;
        closure.reopened = now();
        log_.tell(fmt::format("the endpoint was disabled from {:.3f} to {:.3f}",
                              log_.seconds(closure.answered), log_.seconds(closure.reopened_asked)));
        closures_.push_back(closure);
    }
}

}  // namespace posthorn::fault
