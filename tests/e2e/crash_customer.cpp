#include "crash_customer.hpp"

#include <fmt/format.h>
#include <stdexcept>
#include <thread>

#include "base/timestamp.hpp"
#include "support/becomes_true.hpp"
#include "support/catch.hpp"

namespace posthorn::test {

namespace json = boost::json;
using std::chrono::milliseconds;

namespace {

std::string text_at(const json::value& object, std::string_view field) {
    return json::value_to<std::string>(object.as_object().at(field));
}

// Written as no printer of JSON would write it.
std::string payload_of(std::size_t event) {
    return fmt::format(R"({{"n":{}, "amount":10.50,"\u0061":"\u00e4", "flaky":{}}})", event,
                       event % 4 == 1 ? "true" : "false");
}

Answer answer_of(const Received& request, std::set<std::pair<std::string, std::string>>& refused,
                 bool refusing) {
    const auto name = request.path.substr(request.path.rfind('/') + 1);
    if (name == "gone") return {.status = 410};
    if (name == "refusing" && refusing) return {.status = 500};
    const bool once = name == "flaky" && request.body.find("\"flaky\":true") != std::string::npos;
    if (once && refused.emplace(request.path, request.id).second) return {.status = 500};
    return {.status = 200, .delay = milliseconds(2)};
}

}  // namespace

CrashCustomer::CrashCustomer(Service& service, Receiver& receiver, int number)
    : service_(service), receiver_(receiver), number_(number), application_(service.make_application()) {
    receiver_.answer_by([refused = std::set<std::pair<std::string, std::string>>()](
                            const Received& request) mutable { return answer_of(request, refused, true); });
}

void CrashCustomer::make_endpoint(const std::string& name, json::object more) {
    endpoints_[name] = service_.make_endpoint(application_, receiver_.url(path_of(name)), std::move(more));
}

void CrashCustomer::accept_from_now_on() { receiver_.answer_always({.status = 200}); }

// ---- the backend

bool CrashCustomer::send_one() {
    if (events_.empty() || !events_.back().id.empty())
        events_.push_back({fmt::format("key-{}", events_.size()), payload_of(events_.size()), {}});
    auto& event = events_.back();
    try {
        const auto answer =
            service_.api("POST", api_path("/msg"),
                         fmt::format(R"({{"eventType":"order.paid","payload":{}}})", event.payload),
                         std::nullopt, {{"Idempotency-Key", event.key}});
        if (answer.status != 202)
            throw std::runtime_error(
                fmt::format("an event got {}: {}", answer.status, json::serialize(answer.body)));
        event.id = text_at(answer.body, "id");
        return true;
    } catch (const egress::ApiUnreachable&) {
        return false;
    }
}

void CrashCustomer::send(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
        if (!send_one()) throw std::runtime_error("an event was not answered");
}

void CrashCustomer::send_until_dead(std::size_t enough) {
    while (events_.size() < enough && send_one()) {
    }
}

bool CrashCustomer::is_answered(int status, std::string_view method, const std::string& path,
                                std::string_view body) {
    try {
        service_.expect(status, method, path, body);
        return true;
    } catch (const egress::ApiUnreachable&) {
        return false;
    }
}

bool CrashCustomer::disable(const std::string& name, bool disabled) {
    return is_answered(200, "PATCH", api_path("/endpoint/" + endpoints_.at(name)),
                       fmt::format(R"({{"disabled":{}}})", disabled));
}

bool CrashCustomer::replay(const std::string& name) {
    const auto since = format_timestamp(RealClock().system_now() - std::chrono::hours(1));
    return is_answered(202, "POST", api_path("/endpoint/" + endpoints_.at(name) + "/recover"),
                       fmt::format(R"({{"since":"{}"}})", since));
}

bool CrashCustomer::is_disabled(const std::string& name) {
    return service_.expect(200, "GET", api_path("/endpoint/" + endpoints_.at(name))).at("disabled").as_bool();
}

std::size_t CrashCustomer::dead_letters(const std::string& name) {
    const auto list =
        service_.expect(200, "GET", api_path("/dead-letter?limit=250&endpointId=" + endpoints_.at(name)));
    return list.at("data").as_array().size();
}

std::pair<std::string, std::string> CrashCustomer::state_of(std::size_t event, const std::string& name) {
    const auto path =
        fmt::format("/msg/{}/endpoint/{}/explanation", events_.at(event).id, endpoints_.at(name));
    const auto explanation = service_.expect(200, "GET", api_path(path));
    return {text_at(explanation, "state"), text_at(explanation, "reason")};
}

// ---- the history

void CrashCustomer::check_messages() {
    std::set<std::string> acknowledged, stored;
    for (const auto& event : events_) acknowledged.insert(event.id);
    const auto page = service_.expect(200, "GET", api_path("/msg?limit=250"));
    CHECK(page.at("done").as_bool());
    for (const auto& message : page.at("data").as_array()) stored.insert(text_at(message, "id"));
    CHECK(page.at("data").as_array().size() == events_.size());
    CHECK(stored == acknowledged);
}

std::vector<Received> CrashCustomer::received_at(const std::string& name) const {
    auto requests = receiver_.received();
    std::erase_if(requests, [&](const Received& request) { return request.path != path_of(name); });
    return requests;
}

CrashCustomer::Shown CrashCustomer::shown_attempts(const std::string& name) {
    Shown shown;
    const auto page =
        service_.expect(200, "GET", api_path("/attempt/endpoint/" + endpoints_.at(name) + "?limit=250"));
    for (const auto& attempt : page.at("data").as_array()) {
        const auto message = text_at(attempt, "msgId");
        ++shown.attempts[message];
        if (attempt.at("status").as_int64() == 0) shown.delivered.insert(message);
    }
    return shown;
}

void CrashCustomer::check_deliveries(const std::string& name, int crashes, int attempts) {
    INFO("endpoint " << name);
    std::map<std::string, const Event*> by_id;
    for (const auto& event : events_) by_id.emplace(event.id, &event);
    CHECK(becomes_true([&] { return shown_attempts(name).delivered.size() == events_.size(); }));
    const auto shown = shown_attempts(name);
    std::map<std::string, int> received;
    for (const auto& request : received_at(name)) {
        ++received[request.id];
        const auto event = by_id.find(request.id);
        REQUIRE(event != by_id.end());
        CHECK(request.body == event->second->payload);
    }
    for (const auto& [id, event] : by_id) {
        INFO(event->key << ' ' << id);
        const bool is_refused_once =
            name == "flaky" && event->payload.find("\"flaky\":true") != std::string::npos;
        const int most = attempts + (is_refused_once ? 1 : 0) + crashes;
        CHECK(received[id] >= attempts);
        CHECK(received[id] <= most);
        const int recorded = shown.attempts.contains(id) ? shown.attempts.at(id) : 0;
        CHECK(recorded >= attempts);
        CHECK(recorded <= received[id]);  // what is shown happened
        CHECK(recorded >=
              received[id] - crashes);  // and what happened is shown, but for what the crash cut off
    }
}

void CrashCustomer::check_order(const std::string& name) {
    INFO("endpoint " << name);
    std::map<std::string, std::size_t> places;
    for (const auto& event : events_) places.emplace(event.id, places.size());
    std::size_t last = 0;
    for (const auto& request : received_at(name)) {
        const auto place = places.at(request.id);
        CHECK(place >= last);
        CHECK(place <= last + 1);
        last = place;
    }
}

void CrashCustomer::check_nothing_after(const std::string& name, std::size_t before) {
    std::set<std::string> later;
    for (std::size_t i = before; i < events_.size(); ++i) later.insert(events_[i].id);
    for (const auto& request : received_at(name)) CHECK_FALSE(later.contains(request.id));
}

}  // namespace posthorn::test
