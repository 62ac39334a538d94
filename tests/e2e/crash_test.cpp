#include <fmt/format.h>
#include <fstream>
#include <future>
#include <map>
#include <set>
#include <signal.h>

#include "base/random.hpp"
#include "support/catch.hpp"
#include "support/receiver.hpp"
#include "support/service.hpp"

using namespace posthorn;
using posthorn::test::Receiver;
using posthorn::test::Service;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// Submits until told to stop; keeps the ids of what was accepted, and only of that.
class Submitter {
public:
    Submitter(Service& service, std::string application)
        : url_(service.url()),
          token_(service.token()),
          application_(std::move(application)),
          thread_([this] { submit(); }) {}
    ~Submitter() { stop(); }
    std::set<std::string> stop() {
        stopping_ = true;
        if (thread_.joinable()) thread_.join();
        return accepted_;
    }

private:
    void submit() {
        egress::ApiClient client({.server = url_, .token = Secret(token_), .timeout = seconds(5)});
        for (int n = 0; !stopping_; ++n) {
            try {
                const auto answer =
                    client.call("POST", "/api/v1/app/" + application_ + "/msg",
                                fmt::format(R"({{"eventType":"order.paid","payload":{{"n":{}}}}})", n));
                if (answer.status == 202)
                    accepted_.emplace(boost::json::parse(answer.body).at("id").as_string());
            } catch (const egress::ApiUnreachable&) {
                return;  // the service was killed
            }
        }
    }
    std::string url_, token_, application_;
    std::set<std::string> accepted_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

std::map<std::string, int> times_received(const Receiver& receiver) {
    std::map<std::string, int> times;
    for (const auto& request : receiver.received()) ++times[request.id];
    return times;
}

bool all_arrived(const Receiver& receiver, const std::set<std::string>& accepted, milliseconds limit) {
    return receiver.wait_until(
        [&](const std::vector<test::Received>& got) {
            std::set<std::string> ids;
            for (const auto& request : got) ids.insert(request.id);
            return std::includes(ids.begin(), ids.end(), accepted.begin(), accepted.end());
        },
        limit);
}

// How many shards each process holds.
std::string shares_at(const std::string& database) {
    return test::run_sql(database,
                         "SELECT string_agg(n::text, ' ') FROM (SELECT count(*) n FROM shard_lease WHERE "
                         "process_id IS NOT NULL "
                         "GROUP BY process_id) s");
}

bool wait_for_shares(const std::string& database, const std::string& wanted) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(30);
    while (shares_at(database) != wanted) {
        if (std::chrono::steady_clock::now() >= deadline) return false;
        std::this_thread::sleep_for(milliseconds(50));
    }
    return true;
}

}  // namespace

TEST_CASE("kill -9 at random moments loses nothing that was accepted (I1)") {
    Service service;
    Receiver receiver;
    const auto application = service.make_application();
    service.make_endpoint(application, receiver.url());
    Random random(random_u64());
    std::set<std::string> accepted;
    constexpr int crashes = 5;
    for (int crash = 0; crash < crashes; ++crash) {
        Submitter one(service, application), two(service, application), three(service, application);
        std::this_thread::sleep_for(milliseconds(100 + random.next() % 900));
        service.kill();
        for (auto* submitter : {&one, &two, &three}) accepted.merge(submitter->stop());
        service.start();
    }
    INFO(accepted.size() << " accepted");
    CHECK(accepted.size() > 100);
    REQUIRE(all_arrived(receiver, accepted, seconds(60)));
    for (const auto& [id, times] : times_received(receiver))
        CHECK(times <= 1 + crashes);  // one duplicate a crash at most
    CHECK(service.stop() == 0);
}

TEST_CASE("kill -9 of the embedded PostgreSQL is survived and loses nothing") {
    Service service;
    Receiver receiver;
    const auto application = service.make_application();
    service.make_endpoint(application, receiver.url());
    Submitter submitter(service, application);
    REQUIRE(receiver.wait_for(50));
    std::ifstream pid_file(service.data_dir() / "postgres" / "postmaster.pid");
    pid_t postmaster = 0;
    REQUIRE(pid_file >> postmaster);
    REQUIRE(::kill(postmaster, SIGKILL) == 0);
    const auto before = receiver.count();
    REQUIRE(receiver.wait_for(before + 100, seconds(60)));
    const auto accepted = submitter.stop();
    REQUIRE(all_arrived(receiver, accepted, seconds(60)));
    for (const auto& [id, times] : times_received(receiver)) CHECK(times <= 2);
    CHECK(service.stop() == 0);
}

TEST_CASE("SIGTERM finishes what is in flight: nothing is lost and nothing is sent twice (I5)") {
    Service service;
    Receiver receiver({.status = 200, .body = "", .fields = {}, .delay = milliseconds(30)});
    const auto application = service.make_application();
    service.make_endpoint(application, receiver.url());
    std::set<std::string> accepted;
    for (int round = 0; round < 3; ++round) {
        Submitter one(service, application), two(service, application);
        REQUIRE(receiver.wait_for(receiver.count() + 30));
        CHECK(service.stop() == 0);
        for (auto* submitter : {&one, &two}) accepted.merge(submitter->stop());
        service.start();
    }
    REQUIRE(all_arrived(receiver, accepted, seconds(60)));
    for (const auto& [id, times] : times_received(receiver)) CHECK(times == 1);
}

TEST_CASE("two processes share the shards; the killed one's deliveries go on within 6 s (I3)") {
    const auto database = test::TestPostgres::instance().make_database();
    Receiver receiver;
    Service one({.database_url = database});
    Service two({.database_url = database});
    const auto shares = [&] { return shares_at(database); };
    REQUIRE(wait_for_shares(database, "32 32"));

    const auto application = one.make_application();
    for (int i = 0; i < 16; ++i) one.make_endpoint(application, receiver.url());  // in shards of both
    receiver.hold();
    std::set<std::string> sent;
    for (int i = 0; i < 5; ++i) sent.insert(one.send(application, "order.paid", "{}"));
    REQUIRE(receiver.wait_for(60));
    two.kill();
    const auto killed = std::chrono::steady_clock::now();
    receiver.clear();
    receiver.release();
    while (shares() != "64" && std::chrono::steady_clock::now() - killed < seconds(20))
        std::this_thread::sleep_for(milliseconds(20));
    CHECK(std::chrono::steady_clock::now() - killed < seconds(6));
    const auto drained = [&] { return test::run_sql(database, "SELECT count(*) FROM delivery") == "0"; };
    while (!drained() && std::chrono::steady_clock::now() - killed < seconds(30))
        std::this_thread::sleep_for(milliseconds(50));
    CHECK(drained());
    CHECK(test::run_sql(database,
                        "SELECT count(*) FROM (SELECT DISTINCT message_id, endpoint_id FROM attempt WHERE "
                        "succeeded) a") == "80");
    CHECK(test::run_sql(database, "SELECT count(*) FROM dead_letter") == "0");
}

TEST_CASE("a process that joins takes its share without a duplicate, and gives it back when it leaves (I5)") {
    const auto database = test::TestPostgres::instance().make_database();
    Receiver receiver({.status = 200, .body = "", .fields = {}, .delay = milliseconds(10)});
    Service one({.database_url = database});
    const auto application = one.make_application();
    for (int i = 0; i < 8; ++i) one.make_endpoint(application, receiver.url(fmt::format("/{}", i)));
    Submitter submitter(one, application);
    {
        Service two({.database_url = database});
        REQUIRE(receiver.wait_for(receiver.count() + 500, seconds(60)));
        CHECK(two.stop() == 0);
    }
    REQUIRE(receiver.wait_for(receiver.count() + 200, seconds(60)));
    const auto accepted = submitter.stop();
    REQUIRE(
        receiver.wait_until([&](const auto& got) { return got.size() >= 8 * accepted.size(); }, seconds(60)));
    std::map<std::pair<std::string, std::string>, int> times;
    for (const auto& request : receiver.received()) ++times[{request.path, request.id}];
    for (const auto& [key, count] : times) CHECK(count == 1);
}

TEST_CASE(
    "a process that ends finishes requests that take longer than a lease, and no other sends them (I5)") {
    const auto database = test::TestPostgres::instance().make_database();
    Receiver receiver({.status = 200, .body = "", .fields = {}, .delay = seconds(8)});
    Service one({.database_url = database});
    Service two({.database_url = database});
    REQUIRE(wait_for_shares(database, "32 32"));
    const auto application = one.make_application();
    constexpr int endpoints = 16;  // in shards of both
    for (int i = 0; i < endpoints; ++i) one.make_endpoint(application, receiver.url(fmt::format("/{}", i)));
    one.send(application, "order.paid", "{}");
    REQUIRE(receiver.wait_for(endpoints));
    CHECK(two.stop() == 0);
    REQUIRE(wait_for_shares(database, "64"));
    const auto left = [&] { return test::run_sql(database, "SELECT count(*) FROM delivery"); };
    const auto deadline = std::chrono::steady_clock::now() + seconds(30);
    while (left() != "0" && std::chrono::steady_clock::now() < deadline)
        std::this_thread::sleep_for(milliseconds(50));
    CHECK(left() == "0");
    CHECK(receiver.count() == endpoints);
    CHECK(test::run_sql(database, "SELECT count(*) FROM attempt WHERE succeeded") ==
          std::to_string(endpoints));
}

TEST_CASE("a stalled process that lost its shards writes no outcome over a newer one (I4)") {
    const auto database = test::TestPostgres::instance().make_database();
    Receiver receiver;
    Service one({.database_url = database});
    const auto application = one.make_application();
    one.make_endpoint(application, receiver.url());
    receiver.hold();
    receiver.answer_next({{.status = 200}});  // for the process that will stall
    receiver.answer_always({.status = 500});
    one.send(application, "order.paid", "{}");
    REQUIRE(receiver.wait_for(1));
    one.process().send_signal(SIGSTOP);
    Service two({.database_url = database});
    REQUIRE(receiver.wait_for(2, seconds(30)));  // the other took over and sends it again
    receiver.release();
    // The new owner's failed attempts move the row on; the success that the old one reads now must not end
    // it.
    one.process().send_signal(SIGCONT);
    const auto deadline = std::chrono::steady_clock::now() + seconds(30);
    const auto logged = [&] { return std::stoi(test::run_sql(database, "SELECT count(*) FROM attempt")); };
    while (logged() < 5 && std::chrono::steady_clock::now() < deadline)
        std::this_thread::sleep_for(milliseconds(50));
    CHECK(logged() >=
          5);  // four of the new owner's run, one of the stalled process: logged, though fenced off
    CHECK(test::run_sql(database, "SELECT count(*) FROM dead_letter") == "1");
    CHECK(test::run_sql(database, "SELECT attempts FROM dead_letter") == "4");
}
