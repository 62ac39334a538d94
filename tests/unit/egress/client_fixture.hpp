#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>

#include "domain/address_rules.hpp"
#include "egress/client.hpp"
#include "support/catch.hpp"

namespace posthorn::egress::test {

namespace asio = boost::asio;
using namespace std::chrono_literals;

// A request that was started: its result once the loop has run, or what it threw.
struct Started {
    std::optional<Result> result;
    std::exception_ptr error;
    asio::cancellation_signal cancellation;

    bool ended() const { return result || error; }
};

// A client on a loop of its own, which runs on the test's thread, never longer than 20 s at a time.
class ClientFixture {
public:
    explicit ClientFixture(const std::string& allowed_networks = "127.0.0.0/8", ClientOptions chosen = {})
        : guard(std::make_shared<AddressGuard>(domain::parse_networks(allowed_networks).value())) {
        chosen.user_agent = "Posthorn/test";
        client.emplace(loop.get_executor(), std::move(chosen), guard);
    }

    void allow(const std::string& networks) {
        *guard = AddressGuard(domain::parse_networks(networks).value());
    }

    std::shared_ptr<Started> start(Request request) {
        auto started = std::make_shared<Started>();
        asio::co_spawn(loop, client->post(std::move(request)),
                       asio::bind_cancellation_slot(started->cancellation.slot(),
                                                    [started](std::exception_ptr error, Result result) {
                                                        started->error = error;
                                                        if (!error) started->result = std::move(result);
                                                    }));
        return started;
    }

    // Until the condition holds; false if it does not within 20 s.
    template <class Condition>
    bool run_until(Condition condition) {
        const auto end = std::chrono::steady_clock::now() + 20s;
        while (!condition()) {
            if (std::chrono::steady_clock::now() > end) return false;
            loop.restart();
            loop.run_one_for(10ms);
        }
        return true;
    }

    Result finish(const std::shared_ptr<Started>& started) {
        REQUIRE(run_until([&] { return started->ended(); }));
        if (started->error) std::rethrow_exception(started->error);
        return *started->result;
    }

    Result post(Request request) { return finish(start(std::move(request))); }

    asio::io_context loop;
    std::shared_ptr<AddressGuard> guard;
    std::optional<Client> client;
};

inline Request request_to(std::string url, std::string body = "{\"n\":10.50}") {
    Request request;
    request.url = std::move(url);
    request.body = std::make_shared<const std::string>(std::move(body));
    return request;
}

inline ClientOptions with_name_servers(std::vector<std::string> servers) {
    ClientOptions options;
    options.name_servers = std::move(servers);
    return options;
}

}  // namespace posthorn::egress::test
