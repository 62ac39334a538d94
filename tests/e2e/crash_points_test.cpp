// The real service, killed by itself at each place where something was just, or is about to be, committed,
// handed over, sent or received; then started again, and what its customers see held to the promise (I1, I2,
// I5, I7, I10).
#include <fmt/format.h>
#include <signal.h>

#include "base/crash_point.hpp"
#include "command_line.hpp"
#include "crash_customer.hpp"
#include "support/becomes_true.hpp"
#include "support/catch.hpp"

using namespace posthorn;
using namespace posthorn::test;
using std::chrono::seconds;

namespace {

enum class Scenario { traffic, start, end, change, backlog, gone, replay, wake_up };

struct Drive {
    Scenario scenario;
    int passage;  // at which it dies
};

// How each point is reached. (No default: the compiler finds a point that was forgotten.)
Drive drive_to(CrashPoint point) {
    switch (point) {
        case CrashPoint::ingest_before_commit:
        case CrashPoint::ingest_committed:
        case CrashPoint::ingest_handed_over:
        case CrashPoint::ingest_answered:
        case CrashPoint::hand_off_absorbed:
        case CrashPoint::completion_before_commit:
        case CrashPoint::completion_committed:
        case CrashPoint::completion_reported:
            return {Scenario::traffic, 4};
        case CrashPoint::request_before_first_byte:
        case CrashPoint::request_sent:
        case CrashPoint::response_begun:
        case CrashPoint::response_received:
        case CrashPoint::outcome_queued:
            return {Scenario::traffic, 10};
        case CrashPoint::failures_before_commit:
        case CrashPoint::failures_committed:
            return {Scenario::traffic, 2};
        case CrashPoint::lease_before_renewal:
        case CrashPoint::lease_renewed:
            return {Scenario::traffic, 2};  // the first is enrolling
        case CrashPoint::shards_taken:
        case CrashPoint::shards_gained:
            return {Scenario::start, 1};
        case CrashPoint::shards_drained:
        case CrashPoint::shards_released:
            return {Scenario::end, 1};
        case CrashPoint::change_before_commit:
        case CrashPoint::change_committed:
        case CrashPoint::change_applied:
        case CrashPoint::change_acknowledged:
        case CrashPoint::change_confirmed:
            return {Scenario::change, 3};  // who takes shards over acknowledges what was changed before, too
        case CrashPoint::deliveries_before_ending:
        case CrashPoint::deliveries_ended:
            return {Scenario::backlog, 1};
        case CrashPoint::endpoint_before_disabling:
        case CrashPoint::endpoint_disabled:
            return {Scenario::gone, 1};
        case CrashPoint::replay_step_before_commit:
        case CrashPoint::replay_step_committed:
        case CrashPoint::replay_announced:
            return {Scenario::replay, 1};
        case CrashPoint::wake_up_before_sending:
        case CrashPoint::wake_up_sent:
            return {Scenario::wake_up, 2};
    }
    throw std::logic_error("no such crash point");
}

std::string name_of(CrashPoint point) {
    return std::string(crash_point_names.at(static_cast<std::size_t>(point)));
}

std::vector<CrashPoint> points_of(std::initializer_list<Scenario> scenarios) {
    std::vector<CrashPoint> points;
    for (std::size_t i = 0; i < crash_point_names.size(); ++i) {
        const auto point = static_cast<CrashPoint>(i);
        if (std::find(scenarios.begin(), scenarios.end(), drive_to(point).scenario) != scenarios.end())
            points.push_back(point);
    }
    return points;
}

// One service for all points, started anew before and after each.
class CrashSite {
public:
    CrashSite(Service& service, Receiver& receiver, CrashPoint point)
        : service_(service), receiver_(receiver), point_(point) {
        receiver_.clear();
    }

    void crash() {
        INFO("crash point " << name_of(point_));
        switch (drive_to(point_).scenario) {
            case Scenario::traffic:
            case Scenario::wake_up:
                return in_traffic();
            case Scenario::start:
                return at_the_start();
            case Scenario::end:
                return at_the_end();
            case Scenario::change:
                return within_a_change();
            case Scenario::backlog:
                return while_a_backlog_ends();
            case Scenario::gone:
                return when_an_endpoint_is_gone();
            case Scenario::replay:
                return within_a_replay();
        }
    }

private:
    CrashCustomer new_customer() {
        CrashCustomer customer(service_, receiver_, static_cast<int>(point_));
        customer.make_endpoint("plain");
        customer.make_endpoint("ordered", {{"ordered", true}});
        customer.make_endpoint("flaky");
        return customer;
    }

    // The service that is there is killed.
    void start_armed() {
        service_.kill();
        try {
            service_.start(
                {{crash_point_variable, fmt::format("{}:{}", name_of(point_), drive_to(point_).passage)}});
        } catch (const std::runtime_error&) {  // dead already: the next look finds out of what
        }
    }

    // A point that is not reached is a failure.
    void await_death_and_restart() {
        const auto status = service_.process().wait(seconds(20));
        CHECK(status == 128 + SIGKILL);
        service_.kill();
        service_.start();
    }

    void check_usual_history(CrashCustomer& customer, int crashes) {
        customer.check_messages();
        customer.check_deliveries("plain", crashes);
        customer.check_deliveries("ordered", crashes);
        customer.check_deliveries("flaky", crashes);
        customer.check_order("ordered");
    }

    void in_traffic() {
        auto customer = new_customer();
        start_armed();
        customer.send_until_dead();
        await_death_and_restart();
        customer.send(5);
        check_usual_history(customer, 1);
    }

    // With deliveries that wait for the process, and requests that the one before left without an answer.
    void at_the_start() {
        auto customer = new_customer();
        receiver_.hold();
        customer.send(10);
        REQUIRE(receiver_.wait_for(3));
        start_armed();
        receiver_.release();
        await_death_and_restart();
        customer.send(5);
        check_usual_history(customer, 2);
    }

    void at_the_end() {
        auto customer = new_customer();
        start_armed();
        customer.send(20);
        service_.process().send_signal(SIGTERM);
        await_death_and_restart();
        customer.send(5);
        check_usual_history(customer, 1);
    }

    // Whatever was on its way to the endpoint has ended, one way or the other; what comes after the answer is
    // not sent.
    void check_disabled(CrashCustomer& customer, std::size_t sent_before, int crashes) {
        CHECK(customer.is_disabled("plain"));
        customer.send(5);
        customer.check_messages();
        customer.check_deliveries("ordered", crashes);
        customer.check_deliveries("flaky", crashes);
        customer.check_order("ordered");
        customer.check_nothing_after("plain", sent_before);
        for (std::size_t event = 0; event < sent_before; ++event)
            CHECK(becomes_true([&] {
                const auto [state, reason] = customer.state_of(event, "plain");
                return state == "delivered" || (state != "waiting" && reason == "endpoint-disabled");
            }));
    }

    void within_a_change() {
        auto customer = new_customer();
        start_armed();
        customer.send_until_dead(20);
        for (int i = 0; i < 20 && customer.disable("plain", i % 2 == 0); ++i) {
        }
        await_death_and_restart();
        customer.send(1);
        CHECK(customer.disable("plain"));
        check_disabled(customer, customer.sent(), 1);
    }

    void while_a_backlog_ends() {
        auto customer = new_customer();
        start_armed();
        receiver_.hold();
        customer.send(40);  // more than are sent at a time
        customer.disable("plain");
        await_death_and_restart();
        receiver_.release();
        customer.send(1);
        CHECK(customer.disable("plain"));
        check_disabled(customer, customer.sent(), 1);
    }

    void when_an_endpoint_is_gone() {
        auto customer = new_customer();
        customer.make_endpoint("gone");
        start_armed();
        customer.send_until_dead();
        await_death_and_restart();
        customer.send(5);
        check_usual_history(customer, 1);
        CHECK(becomes_true([&] { return customer.is_disabled("gone"); }));
    }

    void within_a_replay() {
        auto customer = new_customer();
        customer.make_endpoint("refusing", {{"retrySchedule", boost::json::array()}});
        customer.send(10);
        CHECK(becomes_true([&] { return customer.dead_letters("refusing") == customer.sent(); }));
        check_usual_history(customer, 0);
        start_armed();
        customer.accept_from_now_on();
        const bool accepted = customer.replay("refusing");
        await_death_and_restart();
        if (!accepted) CHECK(customer.replay("refusing"));
        customer.check_deliveries("refusing", 1, 2);
        CHECK(customer.dead_letters("refusing") == 0);
        check_usual_history(customer, 0);
    }

    Service& service_;
    Receiver& receiver_;
    const CrashPoint point_;
};

void crash_at_each(std::initializer_list<Scenario> scenarios) {
    Service service;
    Receiver receiver;
    for (const auto point : points_of(scenarios)) CrashSite(service, receiver, point).crash();
    CHECK(service.stop() == 0);
}

}  // namespace

TEST_CASE(
    "a service that dies while it takes in, delivers or renews its lease keeps the promise: crash points") {
    crash_at_each({Scenario::traffic});
}

TEST_CASE("a service that dies when it starts or ends keeps the promise: crash points") {
    crash_at_each({Scenario::start, Scenario::end});
}

TEST_CASE("a service that dies when an endpoint is changed or given up keeps the promise: crash points") {
    crash_at_each({Scenario::change, Scenario::backlog, Scenario::gone});
}

TEST_CASE("a service that dies within a replay keeps the promise: crash points") {
    crash_at_each({Scenario::replay});
}

TEST_CASE("a process that dies while it wakes the one that delivers keeps the promise: crash points") {
    const auto database = TestPostgres::instance().make_database();
    Receiver receiver;
    Service worker({.database_url = database, .environment = {{"POSTHORN_ROLES", "worker"}}});
    Service front({.database_url = database, .environment = {{"POSTHORN_ROLES", "ingest,admin"}}});
    for (const auto point : points_of({Scenario::wake_up})) CrashSite(front, receiver, point).crash();
    CHECK(front.stop() == 0);
    CHECK(worker.stop() == 0);
}

TEST_CASE("a crash point that there is not is an error at the start") {
    const auto ended = run_posthorn({"serve"}, {{crash_point_variable, "ingest_comitted"}});
    CHECK(ended.status == 2);
    CHECK(ended.errors.find("there is no \"ingest_comitted\"") != std::string::npos);
}
