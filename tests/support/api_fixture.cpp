#include "support/api_fixture.hpp"

#include <algorithm>
#include <stdexcept>

#include "domain/access_token.hpp"
#include "http/target.hpp"
#include "store/migrations.hpp"
#include "support/api_contract.hpp"

namespace posthorn::test {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {
constexpr std::size_t connections = 4;
constexpr std::chrono::seconds longest_call{30};
constexpr std::chrono::milliseconds request_timeout{15'000};

std::shared_ptr<const egress::AddressGuard> loopback_guard() {
    return std::make_shared<egress::AddressGuard>(domain::parse_networks("127.0.0.0/8").value());
}

asio::awaitable<void> prepare_schema(store::Pool& pool) {
    auto connection = co_await pool.acquire();
    co_await store::migrate(*connection);
    co_await connection->run(
        "SELECT make_partitions(now() - interval '14 days', now() + interval '14 days')");
}
}  // namespace

ApiFixture::ApiFixture()
    : clock(RealClock().system_now()),
      conninfo_(TestPostgres::instance().make_database(false)),
      organization_(OrganizationId::make(clock.system_now())),
      other_organization_(OrganizationId::make(clock.system_now())),
      pool_(std::make_unique<store::Pool>(io_.get_executor(), store::ConnectOptions{.conninfo = conninfo_},
                                          connections)),
      secret_box_(Secret(std::string(32, 'k'))),
      host_checker_(std::make_unique<egress::HostChecker>(io_.get_executor(), loopback_guard())),
      context_(std::make_unique<admin::Context>(
          admin::Context{*pool_, clock, jwt_secret, secret_box_, *host_checker_, request_timeout})) {
    run(prepare_schema(*pool_));
    admin::add_routes(router_, *context_);
}

ApiFixture::~ApiFixture() = default;

void ApiFixture::run_to_end(asio::awaitable<void> work) {
    bool done = false;
    std::exception_ptr failure;
    asio::co_spawn(io_, std::move(work), [&](std::exception_ptr error) {
        done = true;
        failure = error;
    });
    const auto deadline = std::chrono::steady_clock::now() + longest_call;
    io_.restart();
    while (!done && std::chrono::steady_clock::now() < deadline) io_.run_one_until(deadline);
    if (!done) {
        // The coroutine still refers to `done`: nothing after this could be trusted.
        std::fputs("a call in a test did not end within its time\n", stderr);
        std::abort();
    }
    if (failure) std::rethrow_exception(failure);
}

http::Request ApiFixture::request(http::Method method, const std::string& target, const std::string& body,
                                  std::optional<std::string> token) const {
    http::Request request;
    request.method = method;
    http::parse_target(target, request);
    request.body = body;
    request.id = "test";
    request.peer = "127.0.0.1";
    if (!token) token = token_of(organization_);
    if (!token->empty()) request.fields.add("Authorization", "Bearer " + *token);
    return request;
}

http::Response ApiFixture::call(http::Method method, const std::string& target, const std::string& body,
                                std::optional<std::string> token) {
    return dispatch(request(method, target, body, std::move(token)));
}

http::Response ApiFixture::dispatch(http::Request made) {
    auto response = run(router_.dispatch(made));
    check_contract(to_string(made.method), made.path, response.status, response.body);
    return response;
}

std::vector<http::Response> ApiFixture::call_together(std::vector<http::Request> requests) {
    std::vector<http::Response> responses(requests.size());
    std::size_t under_way = requests.size();
    asio::steady_timer all_done(io_, asio::steady_timer::time_point::max());
    for (std::size_t i = 0; i < requests.size(); ++i)
        asio::co_spawn(io_, router_.dispatch(requests[i]),
                       [&, i](std::exception_ptr failure, http::Response response) {
                           if (failure) std::rethrow_exception(failure);
                           responses[i] = std::move(response);
                           if (--under_way == 0) all_done.cancel();
                       });
    run([](asio::steady_timer& timer) -> asio::awaitable<void> {
        boost::system::error_code cancelled;
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
    }(all_done));
    for (std::size_t i = 0; i < requests.size(); ++i)
        check_contract(to_string(requests[i].method), requests[i].path, responses[i].status,
                       responses[i].body);
    return responses;
}

json::value ApiFixture::expect(int status, http::Method method, const std::string& target,
                               const std::string& body, std::optional<std::string> token) {
    const auto response = call(method, target, body, std::move(token));
    if (response.status != status)
        throw std::runtime_error(std::string(to_string(method)) + " " + target + " gave " +
                                 std::to_string(response.status) + ": " + response.body);
    return response.body.empty() ? json::value() : json::parse(response.body);
}

std::string ApiFixture::token_of(OrganizationId organization,
                                 std::optional<ApplicationId> application) const {
    return domain::make_access_token(jwt_secret, organization, application, clock.system_now(),
                                     std::chrono::hours(1));
}

std::string ApiFixture::make_application(const std::string& uid, std::optional<std::string> token) {
    json::object body{{"name", "An application"}};
    if (!uid.empty()) body["uid"] = uid;
    return text_at(expect(201, http::Method::post, "/api/v1/app", json::serialize(body), std::move(token)),
                   "id");
}

std::string ApiFixture::make_endpoint(const std::string& application, const std::string& url,
                                      std::optional<std::string> token) {
    return text_at(expect(201, http::Method::post, "/api/v1/app/" + application + "/endpoint",
                          json::serialize(json::object{{"url", url}}), std::move(token)),
                   "id");
}

std::string text_at(const json::value& object, std::string_view field) {
    const auto& value = object.as_object().at(json::string_view(field.data(), field.size()));
    if (const auto* text = value.if_string()) return std::string(text->begin(), text->end());
    return json::serialize(value);
}

std::string quoted(std::string text) {
    std::replace(text.begin(), text.end(), '\'', '"');
    return text;
}

}  // namespace posthorn::test
