#include <boost/asio/connect.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include "support/catch.hpp"
#include "support/receiver.hpp"
#include "support/service.hpp"

using namespace posthorn;
using posthorn::test::Receiver;
using posthorn::test::Service;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// Answers each request with a header, then one byte of the body every 100 ms, without an end.
class DrippingSubscriber {
public:
    DrippingSubscriber()
        : acceptor_(io_, {boost::asio::ip::address_v4::loopback(), 0}), thread_([this] { serve(); }) {}
    ~DrippingSubscriber() {
        stopping_ = true;
        boost::system::error_code ignored;
        boost::asio::ip::tcp::socket knock(io_);
        knock.connect(acceptor_.local_endpoint(), ignored);
        knock.close(ignored);
        thread_.join();
    }
    std::string url() const { return fmt::format("http://127.0.0.1:{}/", acceptor_.local_endpoint().port()); }

private:
    void serve() {
        while (!stopping_) {
            boost::asio::ip::tcp::socket socket(io_);
            acceptor_.accept(socket);
            boost::system::error_code error;
            std::array<char, 4096> request{};
            socket.read_some(boost::asio::buffer(request), error);
            boost::asio::write(
                socket,
                boost::asio::buffer(std::string("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")),
                error);
            while (!error && !stopping_) {
                boost::asio::write(socket, boost::asio::buffer("x", 1), error);
                std::this_thread::sleep_for(milliseconds(100));
            }
        }
    }
    boost::asio::io_context io_;
    boost::asio::ip::tcp::acceptor acceptor_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace

TEST_CASE("a subscriber that drips is cut at the deadline and recorded as a timeout") {
    DrippingSubscriber dripping;
    Service service({.environment = {{"POSTHORN_REQUEST_TIMEOUT", "1s"}, {"POSTHORN_RETRY_SCHEDULE", "1h"}}});
    const auto application = service.make_application();
    service.make_endpoint(application, dripping.url());
    const auto id = service.send(application, "order.paid", "{}");
    boost::json::array attempts;
    const auto deadline = std::chrono::steady_clock::now() + seconds(20);
    while (attempts.empty() && std::chrono::steady_clock::now() < deadline) {
        attempts = service.expect(200, "GET", "/api/v1/app/" + application + "/attempt/msg/" + id)
                       .at("data")
                       .as_array();
        std::this_thread::sleep_for(milliseconds(50));
    }
    REQUIRE(attempts.size() == 1);
    CHECK(attempts[0].at("status").as_int64() == 2);
    CHECK(attempts[0].at("responseStatusCode").as_int64() == 0);
    CHECK(attempts[0].at("responseDurationMs").as_int64() >= 1000);
    CHECK(attempts[0].at("responseDurationMs").as_int64() < 3000);
}

TEST_CASE("an endpoint with 100,000 due deliveries does not delay another (I9)") {
    const auto database = test::TestPostgres::instance().make_database();
    Service service({.database_url = database});
    Receiver good, flooded;
    flooded.hold();  // every request to it stays open until its time is up
    const auto crowded = service.make_application();
    service.make_endpoint(crowded, flooded.url());
    const auto application = service.make_application();
    service.make_endpoint(application, good.url());
    service.send(crowded, "order.paid", "{}");
    REQUIRE(flooded.wait_for(1));
    // The flood is put where a long outage would have left it: into the tables.
    test::run_sql(database, R"(
        WITH one AS (SELECT app_id, id, event_type, payload FROM message ORDER BY id LIMIT 1),
             target AS (SELECT e.app_id, e.id, e.shard FROM endpoint e JOIN one ON one.app_id = e.app_id),
             flood AS (INSERT INTO message (app_id, id, event_type, payload)
                       SELECT app_id, (substr(id::text, 1, 24) || lpad(to_hex(n), 12, '0'))::uuid, event_type, payload
                       FROM one, generate_series(1, 100000) n RETURNING app_id, id)
        INSERT INTO delivery (app_id, endpoint_id, message_id, shard, due_at)
        SELECT t.app_id, t.id, f.id, t.shard, clock_timestamp() - interval '1 hour' FROM flood f, target t)");
    test::run_sql(database, "SELECT pg_notify('posthorn_shard', shard || ':*') FROM endpoint");
    milliseconds slowest{0};
    for (int i = 0; i < 100; ++i) {
        const auto began = std::chrono::steady_clock::now();
        service.send(application, "order.paid", fmt::format(R"({{"n":{}}})", i));
        REQUIRE(good.wait_for(static_cast<std::size_t>(i) + 1, seconds(5)));
        slowest = std::max(
            slowest, std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - began));
    }
    INFO("the slowest took " << slowest.count() << " ms");
    CHECK(slowest < seconds(2));  // far below one request timeout: nothing waited for the flood
    flooded.release();
    REQUIRE(flooded.wait_for(1'000));
}
