#include "workers/completion.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>

#include "support/catch.hpp"
#include "support/store_fixture.hpp"

using namespace posthorn;
using posthorn::test::StoreFixture;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Verdict = store::Outcome::Verdict;

namespace {

// Outcomes of an endpoint in a shard that is held, and the part of a worker that stores them.
class CompletionFixture : public StoreFixture {
public:
    explicit CompletionFixture(milliseconds statement_timeout = seconds(30))
        : application_(make_application()), endpoint_(make_endpoint(application_, shard.shard)) {
        sql(fmt::format("UPDATE shard_lease SET epoch = {} WHERE shard = {}", shard.epoch, shard.shard));
        auto options = connect_options();
        options.statement_timeout = statement_timeout;
        database_.emplace(options);
        completion_.emplace(
            io().get_executor(), *database_, clock_,
            workers::Completion::Callbacks{
                .committed = [this](const store::Outcome&,
                                    const store::Completion& done) { done.applied ? ++applied : ++given_up; },
                .connection_lost = [this] { ++connections_lost; }});
        boost::asio::co_spawn(io(), completion_->run(),
                              boost::asio::bind_cancellation_slot(
                                  stop_.slot(), [this](const std::exception_ptr&) { ended_ = true; }));
    }
    ~CompletionFixture() {
        stop_.emit(boost::asio::cancellation_type::terminal);
        while (!ended_) io().run_one_for(milliseconds(10));
    }

    void add(int count, const std::string& response = "ok") {
        for (int i = 0; i < count; ++i) {
            const auto message = make_message(application_);
            store::Outcome made;
            made.shard = shard;
            made.application = application_;
            made.endpoint = endpoint_;
            made.message = message;
            made.run_id = make_delivery(application_, endpoint_, message, shard.shard);
            made.attempt = 1;
            made.verdict = Verdict::delivered;
            made.record = store::AttemptRecord{.id = AttemptId::make(RealClock().system_now()),
                                               .url = "http://127.0.0.1/",
                                               .response = response};
            completion_->add(std::move(made));
        }
    }
    template <class Condition>
    bool run_until(Condition condition, milliseconds limit = seconds(20)) {
        const auto deadline = std::chrono::steady_clock::now() + limit;
        io().restart();
        while (!condition()) {
            if (std::chrono::steady_clock::now() >= deadline) return false;
            io().run_one_for(milliseconds(10));
        }
        return true;
    }
    bool all_applied(int count) {
        return run_until([&] { return applied + given_up == count; }) && applied == count;
    }
    std::string count(const std::string& rows) const { return sql("SELECT count(*) FROM " + rows); }
    std::size_t waiting() const { return completion_->waiting(); }

    const store::HeldShard shard{7, 3};
    int applied = 0, given_up = 0, connections_lost = 0;

private:
    ApplicationId application_;
    EndpointId endpoint_;
    RealClock clock_;
    std::optional<store::PostgresWorkerDatabase> database_;
    std::optional<workers::Completion> completion_;
    boost::asio::cancellation_signal stop_;
    bool ended_ = false;
};

}  // namespace

TEST_CASE("an outcome whose record the database refuses is stored without it, its neighbours with theirs") {
    CompletionFixture f;
    f.sql("ALTER TABLE attempt ADD CONSTRAINT test_only CHECK (response NOT IN ('bad', ''))");
    f.add(20);
    f.add(1, "bad");
    f.add(20);
    REQUIRE(f.all_applied(41));
    CHECK(f.count("delivery") == "0");
    CHECK(f.count("attempt") == "40");
}

TEST_CASE("a response that the database refuses is left out, and the attempt is logged") {
    CompletionFixture f;
    f.sql("ALTER TABLE attempt ADD CONSTRAINT test_only CHECK (response <> 'bad')");
    f.add(1, "bad");
    REQUIRE(f.all_applied(1));
    CHECK(f.sql("SELECT length(response) FROM attempt") == "0");
}

TEST_CASE("outcomes outlive the connection that should have stored them") {
    CompletionFixture f;
    f.add(3);
    REQUIRE(f.all_applied(3));
    f.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'posthorn "
        "completion'");
    f.add(5);
    REQUIRE(f.all_applied(8));
    CHECK(f.connections_lost == 1);
    CHECK(f.count("delivery") == "0");
    CHECK(f.count("attempt") == "8");
}

TEST_CASE("an outcome waits for a lock for as long as it takes, and is not given up") {
    CompletionFixture f(milliseconds(100));
    auto locker = f.open();
    f.run(locker->run("BEGIN; SELECT FROM shard_lease WHERE shard = 7 FOR UPDATE"));
    f.add(3);
    const auto times_out = [&] {
        return f.sql(
                   "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'posthorn completion' "
                   "AND wait_event_type = 'Lock'") == "1";
    };
    for (int statement = 0; statement < 4; ++statement) {  // all three together, then the first of them
        REQUIRE(f.run_until(times_out));
        REQUIRE(f.run_until([&] { return !times_out(); }));
    }
    CHECK(f.applied + f.given_up == 0);
    f.run(locker->run("COMMIT"));
    CHECK(f.all_applied(3));
    CHECK(f.count("attempt") == "3");
}

TEST_CASE("a database that takes no writes for the moment gets the outcomes later") {
    CompletionFixture f;
    f.add(3);
    f.allow_writes(false);
    REQUIRE(f.run_until([&] { return f.connections_lost >= 2; }));
    CHECK(f.applied + f.given_up == 0);
    f.allow_writes(true);
    CHECK(f.all_applied(3));
    CHECK(f.count("delivery") == "0");
}
