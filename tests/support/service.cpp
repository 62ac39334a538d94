#include "support/service.hpp"

#include <array>
#include <cstdlib>
#include <fmt/format.h>
#include <stdexcept>

#include "base/clock.hpp"
#include "domain/access_token.hpp"
#include "support/api_contract.hpp"
#include "support/places.hpp"

namespace posthorn::test {

namespace json = boost::json;

namespace {
constexpr std::string_view jwt_secret = "the e2e tests' jwt secret";
constexpr std::string_view master_key_hex =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
constexpr std::chrono::seconds start_limit{120};
constexpr std::array secret_variables{"POSTHORN_JWT_SECRET", "POSTHORN_MASTER_KEY",
                                      "POSTHORN_OTHER_MASTER_KEYS"};

std::string text_of(const json::value& object, std::string_view field) {
    const auto& text = object.as_object().at(field).as_string();
    return {text.begin(), text.end()};
}
}  // namespace

Service::Service(Options options) : options_(std::move(options)), data_dir_(directory_.path() / "data") {
    token_ = token_of(domain::default_organization());
    start();
}

Service::~Service() {
    std::optional<std::string> leak;
    if (process_) {
        process_->stop();
        leak = watch_.find_leak(log());
    }
    process_.reset();
    cli::end_orphaned_postgres(data_dir_);  // after kill()
    if (!leak || leaked_) return;
    // Perhaps after the last test case: nothing can be thrown, nor reported.
    fmt::print(stderr, "a secret is in the service's log: {}\n", *leak);
    std::abort();
}

void Service::check_log() {
    const auto leak = watch_.find_leak(log());
    if (!leak) return;
    leaked_ = true;
    throw std::runtime_error("a secret is in the service's log: " + *leak);
}

void Service::start(const std::map<std::string, std::string>& more_environment) {
    if (process_) stop();
    process_.reset();
    std::map<std::string, std::string> environment{
        {"POSTHORN_LISTEN", "127.0.0.1:0"},
        {"POSTHORN_DATA_DIR", data_dir_.string()},
        {"POSTHORN_ALLOW_NETWORKS", "127.0.0.0/8"},
        {"POSTHORN_RETRY_SCHEDULE", "100ms,200ms,400ms"},
        {"POSTHORN_JWT_SECRET", std::string(jwt_secret)},
        {"POSTHORN_MASTER_KEY", std::string(master_key_hex)},
    };
    if (!options_.database_url.empty()) environment["POSTHORN_DATABASE_URL"] = options_.database_url;
    for (const auto& [name, value] : options_.environment) environment[name] = value;
    for (const auto& [name, value] : more_environment) environment[name] = value;
    for (const auto* name : secret_variables) watch_.remember(environment[name]);
    process_ = std::make_unique<cli::ServiceProcess>(posthorn_program(), environment);
    if (!process_->wait_until_ready(start_limit))
        throw std::runtime_error("posthorn serve is not ready within its time: " + log());
    client_ = std::make_unique<egress::ApiClient>(
        egress::ApiClient::Options{.server = url(), .token = Secret(token_)});
}

int Service::stop() {
    const int status = process_->stop();
    check_log();
    return status;
}

void Service::kill() {
    process_->kill();
    check_log();
}

std::string Service::token_of(OrganizationId organization, std::optional<ApplicationId> application) const {
    return domain::make_access_token(Secret(std::string(jwt_secret)), organization, application,
                                     RealClock().system_now(), std::chrono::hours(24));
}

Service::Answer Service::api(std::string_view method, const std::string& path, std::string_view body,
                             std::optional<std::string> token, const egress::ApiClient::Fields& fields) {
    watch_.remember(token.value_or(token_));
    watch_.learn_from(body);
    client_->set_token(Secret(token.value_or(token_)));
    auto answer = client_->call(method, path, body, fields);
    watch_.learn_from(answer.body);
    check_contract(method, path, answer.status, answer.body);
    return {answer.status, answer.body.empty() ? json::value() : json::parse(answer.body),
            std::move(answer.fields)};
}

json::value Service::expect(int status, std::string_view method, const std::string& path,
                            std::string_view body, std::optional<std::string> token) {
    auto answer = api(method, path, body, std::move(token));
    if (answer.status != status)
        throw std::runtime_error(
            fmt::format("{} {} gave {}: {}", method, path, answer.status, json::serialize(answer.body)));
    return std::move(answer.body);
}

std::string Service::make_application(const std::string& uid) {
    json::object body{{"name", "An application"}};
    if (!uid.empty()) body["uid"] = uid;
    return text_of(expect(201, "POST", "/api/v1/app", json::serialize(body)), "id");
}

std::string Service::make_endpoint(const std::string& application, const std::string& url,
                                   json::object more) {
    more["url"] = url;
    return text_of(
        expect(201, "POST", fmt::format("/api/v1/app/{}/endpoint", application), json::serialize(more)),
        "id");
}

std::string Service::secret_of(const std::string& application, const std::string& endpoint) {
    return text_of(
        expect(200, "GET", fmt::format("/api/v1/app/{}/endpoint/{}/secret", application, endpoint)), "key");
}

std::string Service::send(const std::string& application, std::string_view type, std::string_view payload) {
    const auto body = fmt::format(R"({{"eventType":"{}","payload":{}}})", type, payload);
    return text_of(expect(202, "POST", fmt::format("/api/v1/app/{}/msg", application), body), "id");
}

}  // namespace posthorn::test
