#include "fuzz_lane.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <iostream>
#include <system_error>

#include "domain/endpoint_url.hpp"
#include "support/api_contract.hpp"

namespace posthorn::test {

namespace json = boost::json;
using http::test::Answer;
using http::test::Body;
using http::test::TestClient;

namespace {

// The service gives its database 5 s: a hang is what takes longer than its own refusal would.
constexpr std::chrono::seconds patience{10};
constexpr std::uint64_t requests_between_preparations = 120;
constexpr std::size_t shown_bytes = 3'000;
constexpr std::size_t deepest_answer = 200;

std::string shown(std::string_view bytes) {
    std::string text;
    for (const char c : bytes.substr(0, shown_bytes)) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '\n')
            text += "\\n\n";
        else if (byte < 0x20 || byte >= 0x7F)
            text += fmt::format("\\x{:02x}", static_cast<unsigned>(byte));
        else
            text += c;
    }
    if (bytes.size() > shown_bytes) text += fmt::format("... ({} bytes)", bytes.size());
    return text;
}

// Nothing outside this machine may be spoken to, whatever was made up.
void require_loopback(const json::object& endpoint) {
    const auto parsed = domain::parse_endpoint_url(endpoint.at("url").as_string());
    const auto* url = std::get_if<domain::EndpointUrl>(&parsed);
    if (url == nullptr || (url->literal ? !url->literal->is_loopback() : !url->host.ends_with(".invalid")))
        throw std::runtime_error("an endpoint was made that leads off this machine");
}

bool is_success(int status) { return status >= 200 && status < 300; }

}  // namespace

void FuzzLane::run(std::size_t lane) {
    std::uint64_t done = 0;
    for (std::uint64_t number = lane; number < run_.count && !tally_.has_enough(); number += run_.lanes) {
        if (done++ % requests_between_preparations == 0) prepare();
        perform(make_request(description_, known_, run_.receivers, tokens_, run_.seed, number), number);
        if (run_.only && number >= *run_.only) return;
    }
}

// An application with all that hangs on one, so that every operation finds something; what the requests
// delete is made anew in time.
void FuzzLane::prepare() {
    ++preparations_;
    prepare_one("GET", "/api/v1/dead-letter");
    prepare_one("GET", "/api/v1/app/{app_id}/attempt/endpoint/{endpoint_id}");
    prepare_one("POST", "/api/v1/app",
                fmt::format(R"({{"name":"prepared","uid":"prepared-{}"}})", preparations_));
    prepare_one(
        "POST", "/api/v1/event-type",
        R"({"name":"fuzz.created","description":"","schemas":{"1":{"type":"object","examples":[{"a":1}]}}})");
    for (const auto& url :
         {run_.receivers.good + "/500", run_.receivers.good + "/204", run_.receivers.closed})
        prepare_one("POST", "/api/v1/app/{app_id}/endpoint",
                    fmt::format(R"({{"url":"{}","retrySchedule":null}})", url));
    for (int i = 0; i < 3; ++i)
        prepare_one(
            "POST", "/api/v1/app/{app_id}/msg",
            fmt::format(R"({{"eventType":"fuzz.created","payload":{{"a":{}}},"eventId":"prepared-{}-{}"}})",
                        i, preparations_, i));
    prepare_one("POST", "/api/v1/app/{app_id}/endpoint/{endpoint_id}/bulk-replay",
                R"({"since":"2020-01-01T00:00:00Z","rateLimit":1})");
    prepare_one("POST", "/api/v1/api-key", R"({"name":"prepared","scopes":["*"]})");
}

void FuzzLane::prepare_one(std::string_view method, const std::string& pattern, std::string body) {
    const auto& all = description_.operations();
    const auto operation = std::find_if(all.begin(), all.end(), [&](const ApiOperation& each) {
        return each.method == method && each.pattern == pattern;
    });
    FuzzRequest request{&*operation, std::string(method), pattern, std::move(body)};
    for (const auto& parameter : operation->parameters) {
        if (parameter.place != ApiParameter::Place::path) continue;
        const auto there = prepared_.find(parameter.name);
        if (there == prepared_.end()) return;
        const auto braced = fmt::format("{{{}}}", parameter.name);
        request.target.replace(request.target.find(braced), braced.size(), there->second);
        request.place.insert(*there);
    }
    request.fields = {{"Authorization", "Bearer " + tokens_.organization},
                      {"Content-Type", "application/json"}};
    perform(request, std::nullopt);
}

void FuzzLane::perform(const FuzzRequest& request, std::optional<std::uint64_t> number) {
    const auto begin = std::chrono::steady_clock::now();
    status_ = 0;
    try {
        if (!client_) client_.emplace(run_.port, patience);
        if (!request.framed.empty()) {
            exchange_framed(request);
        } else {
            const auto answer = exchange(request);
            check(request, answer);
            learn(request, answer);
        }
        if (number && number == run_.only) report(request, number, "what was asked for");
    } catch (const std::exception& error) {
        client_.reset();
        report(request, number, error.what());
    }
    const auto took = std::chrono::steady_clock::now() - begin;
    tally_.count(request.operation->title(), status_,
                 std::chrono::duration_cast<std::chrono::milliseconds>(took));
}

Answer FuzzLane::exchange(const FuzzRequest& request) {
    try {
        client_->send(request.bytes());
    } catch (const std::system_error& error) {
        // What is refused before its end was read may be cut off, but only after its answer.
        if (error.code() == std::errc::resource_unavailable_try_again) throw;
    }
    auto answer = client_->receive(request.method == "HEAD" ? Body::none : Body::expected);
    status_ = answer.status;
    if (answer.closes()) client_.reset();
    return answer;
}

// However many answers come, the connection ends with them.
void FuzzLane::exchange_framed(const FuzzRequest& request) {
    try {
        client_->send(request.framed);
        client_->finish_sending();
        while (!client_->is_closed()) {
            status_ = client_->receive(request.method == "HEAD" ? Body::none : Body::expected).status;
            if (status_ >= 500) throw std::runtime_error("an answer of 5xx");
        }
    } catch (const std::system_error& error) {
        if (error.code() == std::errc::resource_unavailable_try_again) throw;
    }
    client_.reset();
}

void FuzzLane::check(const FuzzRequest& request, const Answer& answer) {
    if (answer.status >= 500) throw std::runtime_error("an answer of 5xx: " + answer.body);
    check_contract(request.method, request.target, answer.status, answer.body);
}

void FuzzLane::learn(const FuzzRequest& request, const Answer& answer) {
    const bool deletes = request.method == "DELETE" && request.operation->pattern.ends_with('}');
    if (answer.status == 404 || (deletes && is_success(answer.status))) known_.forget(request.place);
    if (!is_success(answer.status) || answer.body.empty() ||
        answer.field("Content-Type") != "application/json")
        return;
    boost::system::error_code unreadable;  // a payload may hold numbers that this parser does not take
    const auto value = json::parse(answer.body, unreadable, {}, {.max_depth = deepest_answer});
    if (unreadable) return;
    known_.learn(request.operation->title(), request.place, value);
    const auto* object = value.if_object();
    const auto* id = object ? object->if_contains("id") : nullptr;
    if (id == nullptr || !id->is_string()) return;
    const std::string_view text = id->get_string();
    if (text.starts_with("ep_")) require_loopback(*object);
    if (text.starts_with("app_")) prepared_ = {{"app_id", std::string(text)}};
    if (text.starts_with("ep_") && request.place == KnownObjects::Place{{"app_id", prepared_["app_id"]}})
        prepared_["endpoint_id"] = text;
}

void FuzzLane::report(const FuzzRequest& request, std::optional<std::uint64_t> number,
                      const std::string& what) {
    const auto which = number ? fmt::format("POSTHORN_FUZZ_SEED={} POSTHORN_FUZZ_ONLY={}", run_.seed, *number)
                              : std::string("a preparation");
    auto text = fmt::format("{} ({}), answered {}: {}\nthe request was:\n{}\n", request.operation->title(),
                            which, status_, shown(what), shown(request.bytes()));
    if (number && number == run_.only) {
        std::cout << text << std::flush;
        if (what == "what was asked for") return;
    }
    // Failures that differ only in a message's details are of one kind.
    tally_.fail(fmt::format("{} {} {}", request.operation->title(), status_, what.substr(0, 24)),
                std::move(text));
}

}  // namespace posthorn::test
