#pragma once
#include <boost/json.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "admin-api/context.hpp"
#include "http/router.hpp"
#include "support/postgres.hpp"

namespace posthorn::test {

// The admin API on a real database of its own, without sockets: a call goes straight to the router, and its
// answer is held to the OpenAPI document. The clock
// starts at the real time and moves by hand. Endpoint URLs may point to 127.0.0.0/8; other private addresses
// are refused.
class ApiFixture {
public:
    ApiFixture();
    ~ApiFixture();

    // `target` is a path with an optional query. Without a token the organization's own is sent; "" sends
    // none.
    http::Response call(http::Method method, const std::string& target, const std::string& body = {},
                        std::optional<std::string> token = std::nullopt);
    http::Request request(http::Method method, const std::string& target, const std::string& body = {},
                          std::optional<std::string> token = std::nullopt) const;
    http::Response dispatch(http::Request made);
    // Several calls under way at the same time.
    std::vector<http::Response> call_together(std::vector<http::Request> requests);
    // Expects this status (throws std::runtime_error with the answer otherwise) and gives the body as JSON
    // (null when empty).
    boost::json::value expect(int status, http::Method method, const std::string& target,
                              const std::string& body = {}, std::optional<std::string> token = std::nullopt);

    OrganizationId organization() const { return organization_; }
    OrganizationId other_organization() const { return other_organization_; }
    std::string token_of(OrganizationId organization,
                         std::optional<ApplicationId> application = std::nullopt) const;

    // Create through the API; their ids.
    std::string make_application(const std::string& uid = {},
                                 std::optional<std::string> token = std::nullopt);
    std::string make_endpoint(const std::string& application,
                              const std::string& url = "http://127.0.0.1:9/hook",
                              std::optional<std::string> token = std::nullopt);

    // SQL on the fixture's database: the first column of the first row as text, or empty.
    std::string sql(const std::string& text) const { return run_sql(conninfo_, text); }
    const std::string& conninfo() const { return conninfo_; }

    ManualClock clock;
    const Secret jwt_secret{"the fixture's jwt secret"};

    // Runs a coroutine to its end (at most 30 s) and gives what it returns.
    template <class T>
    T run(boost::asio::awaitable<T> work) {
        std::optional<T> result;
        run_to_end(
            [](boost::asio::awaitable<T> inner, std::optional<T>& out) -> boost::asio::awaitable<void> {
                out.emplace(co_await std::move(inner));
            }(std::move(work), result));
        return std::move(*result);
    }
    void run(boost::asio::awaitable<void> work) { run_to_end(std::move(work)); }

    boost::asio::io_context& io() { return io_; }
    store::Pool& pool() { return *pool_; }
    admin::Context& context() { return *context_; }
    http::Router& router() { return router_; }

private:
    void run_to_end(boost::asio::awaitable<void> work);

    std::string conninfo_;
    OrganizationId organization_, other_organization_;
    boost::asio::io_context io_{1};
    std::unique_ptr<store::Pool> pool_;
    domain::SecretBox secret_box_;
    std::unique_ptr<egress::HostChecker> host_checker_;
    std::unique_ptr<admin::Context> context_;
    http::Router router_;
};

// The text at a field of an object, for comparisons; "null" and numbers as JSON writes them.
std::string text_at(const boost::json::value& object, std::string_view field);

// A short way to write JSON in tests: single quotes stand for double ones.
std::string quoted(std::string text);

}  // namespace posthorn::test
