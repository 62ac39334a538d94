#include "store/delivery.hpp"

#include <fmt/format.h>

#include "domain/shard.hpp"
#include "support/catch.hpp"
#include "support/store_fixture.hpp"

using namespace posthorn;
using posthorn::test::StoreFixture;
using Verdict = store::Outcome::Verdict;

namespace {

// A shard held at an epoch, an endpoint in it and a connection as the workers have it.
struct DeliveryFixture : StoreFixture {
    DeliveryFixture() {
        connection = open(true);
        application = make_application();
        endpoint = make_endpoint(application, shard.shard);
        sql(fmt::format("UPDATE shard_lease SET epoch = {} WHERE shard = {}", shard.epoch, shard.shard));
    }

    store::Outcome outcome(Verdict verdict, MessageId message, std::int64_t run_id, int attempt = 1) const {
        store::Outcome made;
        made.shard = shard;
        made.application = application;
        made.endpoint = endpoint;
        made.message = message;
        made.run_id = run_id;
        made.attempt = attempt;
        made.verdict = verdict;
        if (verdict == Verdict::dead_letter) made.reason = domain::DeadLetterReason::exhausted;
        made.record = store::AttemptRecord{
            .id = AttemptId::make(RealClock().system_now()), .url = "http://127.0.0.1/", .response = "ok"};
        return made;
    }
    std::vector<store::Completion> complete(const std::vector<store::Outcome>& outcomes) {
        return run(store::complete_deliveries(*connection, outcomes));
    }
    std::string count(const std::string& table) const { return sql("SELECT count(*) FROM " + table); }

    store::HeldShard shard{7, 3};
    std::unique_ptr<store::Connection> connection;
    ApplicationId application;
    EndpointId endpoint;
};

}  // namespace

TEST_CASE("a delivered outcome deletes the delivery and logs the attempt") {
    DeliveryFixture f;
    const auto message = f.make_message(f.application);
    const auto run = f.make_delivery(f.application, f.endpoint, message, 7);
    const auto done = f.complete({f.outcome(Verdict::delivered, message, run)});
    CHECK(done.at(0).applied);
    CHECK(f.count("delivery") == "0");
    CHECK(f.count("attempt") == "1");
    CHECK(f.count("dead_letter") == "0");
}

TEST_CASE("a retry moves the due time by the database's clock, never early, and counts the attempt") {
    DeliveryFixture f;
    const auto message = f.make_message(f.application);
    const auto run = f.make_delivery(f.application, f.endpoint, message, 7);
    auto retry = f.outcome(Verdict::retry, message, run);
    retry.delay = std::chrono::minutes(5);
    const auto done = f.complete({retry});
    CHECK(done.at(0).applied);
    CHECK(done.at(0).due_in <= std::chrono::minutes(5));
    CHECK(done.at(0).due_in > std::chrono::minutes(4));
    CHECK(f.sql("SELECT attempt FROM delivery") == "2");
    CHECK(f.sql("SELECT due_at > clock_timestamp() + interval '4 minutes 50 seconds' FROM delivery") == "t");
}

TEST_CASE(
    "an exhausted delivery becomes a dead letter with its reason, and a second end replaces the first") {
    DeliveryFixture f;
    const auto message = f.make_message(f.application);
    auto run = f.make_delivery(f.application, f.endpoint, message, 7);
    f.complete({f.outcome(Verdict::dead_letter, message, run)});
    CHECK(f.sql("SELECT reason || ' ' || attempts || ' ' || event_type FROM dead_letter") == "1 1 test.made");
    run = f.make_delivery(f.application, f.endpoint, message, 7);
    auto gone = f.outcome(Verdict::dead_letter, message, run);
    gone.reason = domain::DeadLetterReason::gone;
    f.complete({gone});
    CHECK(f.count("dead_letter") == "1");
    CHECK(f.sql("SELECT reason FROM dead_letter") == "3");
}

TEST_CASE("an outcome of another epoch changes nothing but is logged") {
    DeliveryFixture f;
    const auto message = f.make_message(f.application);
    const auto run = f.make_delivery(f.application, f.endpoint, message, 7);
    f.sql("UPDATE shard_lease SET epoch = 4 WHERE shard = 7");
    const auto done = f.complete({f.outcome(Verdict::delivered, message, run)});
    CHECK_FALSE(done.at(0).applied);
    CHECK(f.count("delivery") == "1");
    CHECK(f.count("attempt") == "1");
}

TEST_CASE("an outcome of an earlier run or attempt changes nothing") {
    DeliveryFixture f;
    const auto message = f.make_message(f.application);
    const auto run = f.make_delivery(f.application, f.endpoint, message, 7);
    const auto done = f.complete(
        {f.outcome(Verdict::delivered, message, run - 1), f.outcome(Verdict::delivered, message, run, 2)});
    CHECK_FALSE(done.at(0).applied);
    CHECK_FALSE(done.at(1).applied);
    CHECK(f.count("delivery") == "1");
}

TEST_CASE("a batch completes each outcome for itself and repeating it changes nothing") {
    DeliveryFixture f;
    std::vector<store::Outcome> batch;
    for (int i = 0; i < 300; ++i) {
        const auto message = f.make_message(f.application);
        const auto run = f.make_delivery(f.application, f.endpoint, message, 7);
        batch.push_back(f.outcome(i % 3 == 0 ? Verdict::dead_letter : Verdict::delivered, message, run));
    }
    for (const auto& done : f.complete(batch)) CHECK(done.applied);
    for (const auto& done : f.complete(batch)) CHECK_FALSE(done.applied);
    CHECK(f.count("delivery") == "0");
    CHECK(f.count("attempt") == "300");
    CHECK(f.count("dead_letter") == "100");
}

TEST_CASE("plain outcomes delete the rows at their places, and name those that are elsewhere or not theirs") {
    DeliveryFixture f;
    const auto place_of = [&](std::int64_t run_id) {
        const auto where = fmt::format(" FROM delivery WHERE run_id = {}", run_id);
        return store::RowPlace{
            static_cast<std::uint32_t>(std::stoul(f.sql("SELECT (ctid::text::point)[0]" + where))),
            static_cast<std::uint16_t>(std::stoul(f.sql("SELECT (ctid::text::point)[1]" + where)))};
    };
    std::vector<store::Outcome> batch;
    for (int i = 0; i < 5; ++i) {
        const auto message = f.make_message(f.application);
        batch.push_back(
            f.outcome(Verdict::delivered, message, f.make_delivery(f.application, f.endpoint, message, 7)));
        batch.back().place = place_of(batch.back().run_id);
        CHECK(store::is_plain(batch.back()));
    }
    f.sql(fmt::format("UPDATE delivery SET ordered = true WHERE run_id = {}", batch[1].run_id));  // it moves
    batch[2].attempt = 2;
    batch[3].shard.epoch = 2;
    batch[4].place = {};
    const auto done = f.run(store::complete_plain_deliveries(*f.connection, batch));
    std::vector<bool> applied;
    for (const auto& one : done) applied.push_back(one.applied);
    CHECK(applied == std::vector{true, false, false, false, false});
    CHECK(f.count("delivery") == "4");
    CHECK(f.sql("SELECT count(*) FROM attempt WHERE succeeded AND response = 'ok'") == "5");
    for (auto& one : batch) one.record.reset();
    const auto by_key = f.complete({batch[1], batch[4]});
    CHECK((by_key[0].applied && by_key[1].applied));
    CHECK(f.count("delivery") == "2");
}

TEST_CASE("what somebody is told of is no plain outcome") {
    DeliveryFixture f;
    const auto plain = f.outcome(Verdict::delivered, f.make_message(f.application), 1, 4);
    CHECK(store::is_plain(plain));
    for (const auto change : {0, 1, 2, 3, 4}) {
        auto other = plain;
        if (change == 0) other.verdict = Verdict::retry;
        if (change == 1) other.manual = true;
        if (change == 2) other.attempt = 5;
        if (change == 3) other.record.reset();
        if (change == 4) other.record->failure = 3;
        CHECK_FALSE(store::is_plain(other));
    }
}

TEST_CASE("a take-over waits for an outcome that is being committed") {
    DeliveryFixture f;
    const auto message = f.make_message(f.application);
    const auto run = f.make_delivery(f.application, f.endpoint, message, 7);
    f.run(f.connection->run("BEGIN"));
    auto outcome = f.outcome(Verdict::delivered, message, run);
    outcome.place = {0, 1};  // the table's only row
    const bool plain = GENERATE(false, true);
    const auto done =
        plain ? f.run(store::complete_plain_deliveries(*f.connection, {outcome})) : f.complete({outcome});
    CHECK(done.at(0).applied);
    CHECK_THROWS_WITH(
        f.sql("SET lock_timeout = '200ms'; UPDATE shard_lease SET epoch = epoch + 1 WHERE shard = 7"),
        test::contains("lock timeout"));
    f.run(f.connection->run("COMMIT"));
    CHECK(f.sql("UPDATE shard_lease SET epoch = epoch + 1 WHERE shard = 7 RETURNING epoch") == "4");
}

TEST_CASE("a response of any bytes is stored as it came") {
    DeliveryFixture f;
    const auto message = f.make_message(f.application);
    const auto run = f.make_delivery(f.application, f.endpoint, message, 7);
    auto outcome = f.outcome(Verdict::delivered, message, run);
    outcome.record->response = std::string("\0\xff\xfe", 3);
    CHECK(f.complete({outcome}).at(0).applied);
    CHECK(f.sql("SELECT encode(response, 'hex') FROM attempt") == "00fffe");
}

TEST_CASE("payloads are read in the order asked, up to a limit, and the rest is named") {
    DeliveryFixture f;
    std::vector<MessageId> messages;
    for (const auto* payload : {"[1]", "[1,2]", "[]", "[3]"})
        messages.push_back(f.make_message(f.application, payload));
    const auto read = [&](std::vector<MessageId> asked, std::int64_t limit_bytes) {
        std::string text;
        const std::vector<ApplicationId> applications(asked.size(), f.application);
        for (const auto& row : f.run(store::load_payloads(*f.connection, applications, asked, limit_bytes)))
            text += row.later ? "later " : (row.payload ? *row.payload : "none") + " ";
        return text;
    };
    CHECK(read({messages[3], messages[0], messages[1], messages[2]}, 1'000) == "[3] [1] [1,2] [] ");
    CHECK(read(messages, 4) == "[1] [1,2] later later ");
    CHECK(read(messages, 1) == "[1] later later later ");
    f.sql("UPDATE message SET payload = NULL");
    CHECK(read(messages, 1) == "none none none none ");
    CHECK(read({MessageId::make(RealClock().system_now())}, 1).empty());
}

TEST_CASE("probing gives each endpoint its first rows in order, due or not, and no more than asked") {
    DeliveryFixture f;
    const auto other = f.make_endpoint(f.application, 7);
    std::vector<std::int64_t> runs;
    for (int i = 0; i < 10; ++i)
        runs.push_back(f.make_delivery(f.application, f.endpoint, f.make_message(f.application), 7,
                                       fmt::format("clock_timestamp() - interval '{} minutes'", 20 - i)));
    f.make_delivery(f.application, other, f.make_message(f.application), 7,
                    "clock_timestamp() + interval '1 hour'");
    const auto rows =
        f.run(store::probe_endpoints(*f.connection, {{7, f.endpoint, 4, {}}, {7, other, 4, {}}}));
    REQUIRE(rows.size() == 5);
    for (std::size_t i = 0; i < 4; ++i) CHECK(rows[i].run_id == runs[i]);
    CHECK(rows[0].due_in < std::chrono::minutes(-19));
    CHECK(rows[4].endpoint == other);
    CHECK(rows[4].due_in > std::chrono::minutes(59));
    const auto listed = f.run(store::list_backlogged_endpoints(*f.connection, {7}));
    CHECK(listed.size() == 2);
    CHECK(f.run(store::list_backlogged_endpoints(*f.connection, {8})).empty());
}

TEST_CASE("an ordered endpoint's head is the lowest number, due or not") {
    DeliveryFixture f;
    const auto ordered = f.make_endpoint(f.application, 7, "ordered", "true");
    const auto first = f.make_delivery(f.application, ordered, f.make_message(f.application), 7,
                                       "clock_timestamp() + interval '1 hour'");
    f.make_delivery(f.application, ordered, f.make_message(f.application), 7);
    f.sql("UPDATE delivery SET ordered = true");
    const auto rows = f.run(store::probe_ordered_endpoints(*f.connection, {ordered}));
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].run_id == first);
    CHECK(rows[0].due_in > std::chrono::minutes(59));
}

TEST_CASE("a row fanned out just before its endpoint became ordered is not forgotten") {
    DeliveryFixture f;
    const auto ordered = f.make_endpoint(f.application, 7, "ordered", "true");
    const int shard = domain::shard_of(ordered);
    const auto stray = f.make_delivery(f.application, ordered, f.make_message(f.application), shard);
    const auto marked = f.make_delivery(f.application, ordered, f.make_message(f.application), shard);
    f.sql("UPDATE delivery SET ordered = true WHERE run_id = " + std::to_string(marked));
    const auto head = [&] { return f.run(store::probe_ordered_endpoints(*f.connection, {ordered})); };
    REQUIRE(head().size() == 1);
    CHECK(head()[0].run_id == marked);
    f.sql("DELETE FROM delivery WHERE ordered");
    REQUIRE(head().size() == 1);
    CHECK(head()[0].run_id == stray);
}

TEST_CASE("a disabled endpoint's deliveries become dead letters, those in flight stay") {
    DeliveryFixture f;
    std::vector<MessageId> messages;
    for (int i = 0; i < 5; ++i) {
        messages.push_back(f.make_message(f.application));
        f.make_delivery(f.application, f.endpoint, messages.back(), 7);
    }
    const auto end = [&](store::HeldShard shard, int limit) {
        return f.run(store::end_deliveries_of_endpoint(*f.connection, shard, f.application, f.endpoint,
                                                       domain::DeadLetterReason::endpoint_disabled,
                                                       {messages[0]}, limit));
    };
    CHECK(end({7, 2}, 10) == 0);  // another's epoch
    CHECK(end(f.shard, 3) == 3);
    CHECK(end(f.shard, 3) == 1);
    CHECK(f.count("delivery") == "1");
    CHECK(f.sql("SELECT count(*) FROM dead_letter WHERE reason = 2 AND attempts = 0") == "4");
    CHECK(f.run(store::end_deliveries_of_endpoint(*f.connection, f.shard, f.application, f.endpoint,
                                                  std::nullopt, {}, 10)) == 1);
    CHECK(f.count("dead_letter") == "4");  // a deleted endpoint's are cancelled
}

TEST_CASE("an organization is told of the fourth failure, of the last, and of the success after either") {
    DeliveryFixture f;
    const auto told = f.make_application();
    const auto quoted = "'" + to_string(told.value) + "'";
    f.sql(fmt::format("UPDATE application SET operational = true WHERE id = {}", quoted));
    const auto end = [&](Verdict verdict, MessageId message, std::int64_t run, int attempt) {
        auto made = f.outcome(verdict, message, run, attempt);
        made.record->succeeded = verdict == Verdict::delivered;
        CHECK(f.complete({made}).at(0).applied);
    };
    const auto heard = [&] {
        return f.sql(
            fmt::format("WITH said AS (DELETE FROM message WHERE app_id = {} RETURNING event_type) "
                        "SELECT coalesce(string_agg(event_type, ' '), '-') FROM said",
                        quoted));
    };
    const auto live = [&](MessageId message, int attempt, bool manual) {
        const auto run = f.make_delivery(f.application, f.endpoint, message, 7);
        f.sql(fmt::format("UPDATE delivery SET attempt = {}, manual = {} WHERE run_id = {}", attempt, manual,
                          run));
        return run;
    };
    const auto first = f.make_message(f.application);
    const auto run = live(first, 4, false);
    SECTION("who has no endpoint for it is told nothing") {
        end(Verdict::retry, first, run, 4);
        CHECK(heard() == "-");
    }
    SECTION("who has one is told") {
        f.make_endpoint(told, 8);
        end(Verdict::retry, first, run, 4);
        CHECK(heard() == "message.attempt.failing");
        end(Verdict::delivered, first, run, 5);
        CHECK(heard() == "message.attempt.recovered");
        const auto second = f.make_message(f.application);
        end(Verdict::dead_letter, second, live(second, 1, false), 1);
        CHECK(heard() == "message.attempt.exhausted");
        // As a replay does it.
        f.sql("DELETE FROM dead_letter");
        end(Verdict::delivered, second, live(second, 1, true), 1);
        CHECK(heard() == "message.attempt.recovered");
        end(Verdict::delivered, second, live(second, 1, true), 1);  // again, for the sake of it
        CHECK(heard() == "-");
    }
}
