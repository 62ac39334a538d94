#include "workers/replay.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <fmt/format.h>

#include "store/replay_job.hpp"
#include "store/wake_up.hpp"
#include "support/catch.hpp"
#include "support/delivery_rows.hpp"
#include "support/store_fixture.hpp"

using namespace posthorn;
using namespace posthorn::test;
using domain::DeadLetterReason;
using store::ReplayState;

namespace {
struct ReplayFixture : StoreFixture {
    OrganizationId organization{};  // the nil one: StoreFixture's
    ApplicationId application = make_application();
    DeliveryRows rows{conninfo()};
    SystemTime now = RealClock().system_now();
    std::unique_ptr<store::Connection> connection = open();

    ReplayFixture() { sql("SELECT make_partitions(now() - interval '14 days', now() + interval '14 days')"); }

    // Dead letters, one a minute, the first the oldest.
    std::vector<MessageId> bury(EndpointId endpoint, int count) {
        std::vector<MessageId> messages;
        for (int i = 0; i < count; ++i) {
            messages.push_back(
                rows.message(application, now - std::chrono::hours(2) + std::chrono::minutes(i)));
            rows.dead_letter(organization, application, endpoint, messages.back());
        }
        return messages;
    }
    ReplayJobId start(store::DeadLetterFilter filter, int rate_limit = 0) {
        filter.organization = organization;
        const auto id = ReplayJobId::make(RealClock().system_now());
        run(store::insert_replay_job(*connection, id, store::ReplayKind::dead_letters, std::move(filter),
                                     rate_limit));
        return id;
    }
    std::optional<store::ReplayStep> step(store::ReplayLimits limits) {
        return run(store::run_replay_step(*connection, limits));
    }
    std::int64_t count(const std::string& from) const {
        return std::stoll(sql("SELECT count(*) FROM " + from));
    }
    // As if the job had rested.
    void skip_rest() const { sql("UPDATE replay_job SET resume_at = clock_timestamp()"); }
    std::string job(const std::string& column) const { return sql("SELECT " + column + " FROM replay_job"); }
};

constexpr store::ReplayLimits small_steps{.deliveries_a_step = 2, .live_per_endpoint = 100};
}  // namespace

TEST_CASE("a replay goes through the dead letters in small steps, oldest first") {
    ReplayFixture fixture;
    const auto endpoint = fixture.make_endpoint(fixture.application, 7);
    const auto messages = fixture.bury(endpoint, 5);
    fixture.start({});
    const auto first = fixture.step(small_steps);
    REQUIRE(first);
    CHECK(first->replayed == 2);
    CHECK(first->state == ReplayState::running);
    CHECK(first->woken == std::vector<std::pair<int, EndpointId>>{{7, endpoint}});
    CHECK(fixture.count("delivery WHERE manual AND attempt = 1 AND shard = 7 AND message_id IN (" +
                        quoted_id(messages[0]) + "," + quoted_id(messages[1]) + ")") == 2);
    CHECK(fixture.count("dead_letter") == 3);
    CHECK(fixture.step(small_steps)->replayed == 2);
    const auto last = fixture.step(small_steps);
    CHECK(last->replayed == 1);
    CHECK(last->state == ReplayState::finished);
    CHECK_FALSE(fixture.step(small_steps));
    CHECK(fixture.job("replayed") == "5");
    CHECK(fixture.sql("SELECT string_agg(message_id::text, ',' ORDER BY run_id) = "
                      "string_agg(message_id::text, ',' ORDER BY message_id) "
                      "FROM delivery") == "t");
}

TEST_CASE("who is killed within a step has done nothing, and another process goes on") {
    ReplayFixture fixture;
    const auto endpoint = fixture.make_endpoint(fixture.application);
    fixture.bury(endpoint, 5);
    fixture.start({});
    fixture.step(small_steps);
    const auto before = fixture.job("cursor_message::text || replayed || state || resume_at");

    // Stopped by the database right before the step's last statement takes effect; then its session is
    // killed.
    fixture.sql(
        "CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM "
        "pg_terminate_backend(pg_backend_pid()); "
        "RETURN NEW; END'; CREATE TRIGGER stop BEFORE UPDATE ON replay_job FOR EACH ROW EXECUTE FUNCTION "
        "stop()");
    CHECK_THROWS_AS(fixture.step(small_steps), store::DatabaseError);
    fixture.sql("DROP TRIGGER stop ON replay_job");
    CHECK(fixture.job("cursor_message::text || replayed || state || resume_at") == before);
    CHECK(fixture.count("delivery") == 2);
    CHECK(fixture.count("dead_letter") == 3);

    fixture.connection = fixture.open();
    while (fixture.step(small_steps)) {
    }
    CHECK(fixture.count("delivery") == 5);
    CHECK(fixture.count("dead_letter") == 0);
    CHECK(fixture.job("replayed || ' ' || state") == "5 finished");
}

TEST_CASE("a replay takes what its filter names and nothing that dies after its start") {
    ReplayFixture fixture;
    const auto endpoint = fixture.make_endpoint(fixture.application),
               other = fixture.make_endpoint(fixture.application);
    const auto messages = fixture.bury(endpoint, 3);
    fixture.bury(other, 1);
    const auto gone = fixture.rows.message(fixture.application, fixture.now);
    fixture.rows.dead_letter(fixture.organization, fixture.application, endpoint, gone,
                             DeadLetterReason::gone);
    fixture.start({.endpoint = endpoint,
                   .reason = DeadLetterReason::exhausted,
                   .after = uuid_v7_time(messages[1].value)});
    fixture.bury(endpoint, 1);
    while (fixture.step({})) {
    }
    CHECK(fixture.job("replayed") == "2");
    CHECK(fixture.count("delivery WHERE endpoint_id = " + quoted_id(endpoint)) == 2);
    CHECK(fixture.count("dead_letter") == 4);
}

TEST_CASE("a replay leaves disabled endpoints alone and marks what can not be delivered any more") {
    ReplayFixture fixture;
    const auto disabled = fixture.make_endpoint(fixture.application, 0, "disabled", "true");
    const auto enabled = fixture.make_endpoint(fixture.application);
    fixture.bury(disabled, 2);
    const auto messages = fixture.bury(enabled, 3);
    fixture.sql("UPDATE message SET payload = NULL WHERE id = " + quoted_id(messages[0]));
    fixture.sql("DELETE FROM message WHERE id = " + quoted_id(messages[1]));
    fixture.start({});
    while (fixture.step({})) {
    }
    CHECK(fixture.job("replayed || ' ' || state") == "1 finished");
    CHECK(fixture.count("dead_letter WHERE reason = 6 AND endpoint_id = " + quoted_id(enabled)) == 2);
    CHECK(fixture.count("dead_letter WHERE reason = 1 AND endpoint_id = " + quoted_id(disabled)) == 2);
}

TEST_CASE("a replay keeps few deliveries live at each endpoint and comes back for the rest") {
    ReplayFixture fixture;
    const auto slow = fixture.make_endpoint(fixture.application),
               quick = fixture.make_endpoint(fixture.application);
    fixture.bury(slow, 5);
    fixture.bury(quick, 2);
    fixture.start({});
    const store::ReplayLimits limits{.deliveries_a_step = 3, .live_per_endpoint = 2};
    while (fixture.step(limits)) {
    }
    CHECK(fixture.count("delivery WHERE endpoint_id = " + quoted_id(slow)) == 2);
    CHECK(fixture.count("delivery WHERE endpoint_id = " + quoted_id(quick)) == 2);
    CHECK(fixture.job("state") == "running");
    CHECK(fixture.run(store::time_to_next_replay_step(*fixture.connection)).value() >
          std::chrono::milliseconds(0));

    for (int round = 0; round < 10 && fixture.job("state") == "running"; ++round) {
        fixture.sql("DELETE FROM delivery");  // delivered
        fixture.skip_rest();
        while (fixture.step(limits)) {
        }
        CHECK(fixture.count("delivery") <= 2);
    }
    CHECK(fixture.job("replayed || ' ' || state") == "7 finished");
    CHECK(fixture.count("dead_letter") == 0);
}

TEST_CASE("a rate limit holds over all processes, by the database's clock") {
    ReplayFixture fixture;
    const auto endpoint = fixture.make_endpoint(fixture.application);
    fixture.bury(endpoint, 5);
    fixture.start({}, 2);
    CHECK(fixture.step({})->replayed == 2);
    const auto other_process = fixture.open();
    CHECK_FALSE(fixture.run(store::run_replay_step(*other_process, {})));
    const auto rest = fixture.run(store::time_to_next_replay_step(*fixture.connection)).value();
    CHECK(rest > std::chrono::milliseconds(500));
    CHECK(rest <= std::chrono::milliseconds(1'000));
    fixture.skip_rest();
    CHECK(fixture.run(store::run_replay_step(*other_process, {}))->replayed == 2);

    SECTION("a clock that was set back by a day does not stop the job for a day") {
        fixture.sql("UPDATE replay_job SET resume_at = clock_timestamp() + interval '1 day'");
        CHECK(fixture.step({})->replayed == 1);
    }
}

TEST_CASE(
    "missing messages are those that the endpoint is subscribed to and that nothing was made of for it") {
    ReplayFixture f;
    const auto endpoint = f.make_endpoint(f.application, 3, "event_types", "'{order.*}'");
    std::vector<MessageId> messages;
    for (int i = 0; i < 7; ++i)
        messages.push_back(f.rows.message(f.application, f.now - std::chrono::minutes(60 - i)));
    f.sql("UPDATE message SET event_type = 'order.paid'");
    const auto id = [&](std::size_t i) { return "'" + to_string(messages[i].value) + "'"; };
    f.sql("UPDATE message SET event_type = 'user.new' WHERE id = " + id(1));
    f.sql("UPDATE message SET payload = NULL WHERE id = " + id(2));
    f.rows.dead_letter(f.organization, f.application, endpoint, messages[3]);
    f.rows.attempt(f.application, endpoint, messages[4], f.now, {});
    const store::DeadLetterFilter filter{
        .application = f.application,
        .endpoint = endpoint,
        .after = f.now - std::chrono::minutes(60),
        .before = f.now - std::chrono::minutes(54) - std::chrono::seconds(30)};
    store::ReplayLimits limits;
    limits.messages_a_step = 2;
    const auto replayed = [&](store::ReplayKind kind) {
        auto all = filter;
        all.organization = f.organization;
        f.run(store::insert_replay_job(*f.connection, ReplayJobId::make(RealClock().system_now()), kind, all,
                                       0));
        std::int64_t count = 0;
        while (const auto step = f.step(limits)) {
            count += step->replayed;
            CHECK(step->replayed <= 2);
            f.skip_rest();
            if (step->state != ReplayState::running) break;
        }
        return count;
    };
    CHECK(replayed(store::ReplayKind::missing) == 2);
    CHECK(f.sql("SELECT string_agg(message_id::text, ' ' ORDER BY run_id) FROM delivery WHERE manual") ==
          to_string(messages[0].value) + " " + to_string(messages[5].value));
    CHECK(f.count("dead_letter") == 1);

    SECTION("twice is as good as once") { CHECK(replayed(store::ReplayKind::missing) == 0); }
    SECTION("all of them are also those that were delivered or died, but not those that are live") {
        CHECK(replayed(store::ReplayKind::all) == 2);
        CHECK(f.count("delivery") == 4);
        CHECK(f.count("dead_letter") == 0);
    }
    SECTION("the endpoint's filter counts") {
        f.sql("DELETE FROM delivery");
        f.sql(R"(UPDATE endpoint SET filter = '{"n":[1]}')");
        f.sql(R"(UPDATE message SET payload = '{"n":1}' WHERE id = )" + id(5));
        CHECK(replayed(store::ReplayKind::missing) == 1);
        CHECK(f.sql("SELECT message_id FROM delivery") == to_string(messages[5].value));
    }
    SECTION("a disabled endpoint gets nothing") {
        f.sql("DELETE FROM delivery");
        f.sql("UPDATE endpoint SET disabled = true");
        CHECK(replayed(store::ReplayKind::missing) == 0);
    }
    SECTION("an endpoint that has enough is left alone for a while, and the rest follows") {
        f.sql("DELETE FROM delivery");
        limits.live_per_endpoint = 1;
        auto all = filter;
        all.organization = f.organization;
        f.run(store::insert_replay_job(*f.connection, ReplayJobId::make(RealClock().system_now()),
                                       store::ReplayKind::missing, all, 0));
        CHECK(f.step(limits)->replayed == 1);
        f.skip_rest();
        CHECK(f.step(limits)->replayed == 0);
        f.sql("DELETE FROM delivery");
        std::int64_t more = 0;
        for (int i = 0; i < 10; ++i) {
            f.skip_rest();
            const auto step = f.step(limits);
            if (!step) break;
            more += step->replayed;
        }
        CHECK(more == 1);
        CHECK(f.sql("SELECT count(*) FROM replay_job WHERE state = 'finished'") == "2");
    }
}

TEST_CASE("messages are replayed by channel, tag and how they ended; what is to come later comes later") {
    ReplayFixture f;
    const auto endpoint = f.make_endpoint(f.application);
    std::vector<MessageId> messages;
    for (int i = 0; i < 4; ++i)
        messages.push_back(f.rows.message(f.application, f.now - std::chrono::minutes(60 - i)));
    const auto id = [&](std::size_t i) { return quoted_id(messages[i]); };
    f.rows.attempt(f.application, endpoint, messages[0], f.now - std::chrono::minutes(1),
                   {.status_code = 500});
    f.rows.attempt(f.application, endpoint, messages[0], f.now, {.status_code = 200});
    f.rows.attempt(f.application, endpoint, messages[1], f.now, {.status_code = 500});
    f.rows.attempt(f.application, endpoint, messages[2], f.now, {.status_code = 200});
    f.rows.dead_letter(f.organization, f.application, endpoint, messages[2]);
    f.sql("UPDATE message SET channels = '{eu,us}', tags = '{t1}' WHERE id IN (" + id(1) + "," + id(2) + ")");
    f.sql("UPDATE message SET deliver_at = now() + interval '1 day', channels = '{eu}' WHERE id = " + id(3));
    const auto replayed = [&](store::ReplayKind kind, store::MessageChoice choice) {
        f.sql("DELETE FROM delivery; DELETE FROM replay_job");
        const store::DeadLetterFilter filter{
            .organization = f.organization, .application = f.application, .endpoint = endpoint};
        f.run(store::insert_replay_job(*f.connection, ReplayJobId::make(RealClock().system_now()), kind,
                                       filter, 0, std::move(choice)));
        while (f.step({})) {
        }
        return f.sql("SELECT string_agg(array_position(ARRAY[" + id(0) + "," + id(1) + "," + id(2) + "," +
                     id(3) + "]::uuid[], message_id)::text, ' ' ORDER BY run_id) FROM delivery");
    };
    using store::MessageStatus, store::ReplayKind;
    CHECK(replayed(ReplayKind::all, {.status = MessageStatus::success}) == "1");
    CHECK(replayed(ReplayKind::all, {.status = MessageStatus::fail}) == "2 3");
    CHECK(f.count("dead_letter") == 0);
    CHECK(replayed(ReplayKind::all, {.tag = "t1"}) == "2 3");
    CHECK(replayed(ReplayKind::all, {.channel = "us", .status = MessageStatus::success}) == "3");
    CHECK(replayed(ReplayKind::all, {.channel = "eu"}) == "2 3 4");
    CHECK(replayed(ReplayKind::missing, {}) == "4");
    CHECK(f.sql("SELECT due_at > now() + interval '23 hours' FROM delivery") == "t");
    f.sql("UPDATE endpoint SET disabled = true");
    CHECK(replayed(ReplayKind::all, {}).empty());
    CHECK(f.job("state") == "cancelled");
}

TEST_CASE("a cancelled replay makes no further step") {
    ReplayFixture fixture;
    const auto endpoint = fixture.make_endpoint(fixture.application);
    fixture.bury(endpoint, 3);
    const auto id = fixture.start({});
    fixture.step(small_steps);
    const auto cancel = [&] {
        return fixture.run(
            store::cancel_replay_job(*fixture.connection, fixture.organization, std::nullopt, id));
    };
    CHECK(cancel());
    CHECK_FALSE(cancel());
    CHECK_FALSE(fixture.step(small_steps));
    CHECK(fixture.count("dead_letter") == 1);
    CHECK(fixture.job("replayed || ' ' || state") == "2 cancelled");
}

TEST_CASE("two processes work at two jobs, never at one") {
    ReplayFixture fixture;
    const auto endpoint = fixture.make_endpoint(fixture.application);
    fixture.bury(endpoint, 1);
    fixture.start({});
    auto holder = fixture.open();
    fixture.run([](store::Connection& connection) -> boost::asio::awaitable<void> {
        co_await connection.run("BEGIN; SELECT 1 FROM replay_job FOR UPDATE");
    }(*holder));
    CHECK_FALSE(fixture.step({}));
    const auto second = fixture.start({.reason = DeadLetterReason::gone});
    CHECK(fixture.step({})->job == second);
    holder.reset();
}

TEST_CASE("the runner finishes a job and tells the owners of the shards") {
    ReplayFixture fixture;
    const auto endpoint = fixture.make_endpoint(fixture.application, 9);
    fixture.bury(endpoint, 5);
    fixture.start({});
    auto listener = fixture.open();
    fixture.run([](store::Connection& connection) -> boost::asio::awaitable<void> {
        co_await connection.run("LISTEN posthorn_shard");
    }(*listener));

    store::Pool pool(fixture.io().get_executor(), fixture.connect_options(), 2);
    workers::ReplayRunner runner(pool,
                                 {.limits = small_steps, .look_interval = std::chrono::milliseconds(5)});
    boost::asio::cancellation_signal stop;
    std::exception_ptr end;
    bool ended = false;
    boost::asio::co_spawn(fixture.io(), runner.run(),
                          boost::asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr how) {
                              end = how;
                              ended = true;
                          }));
    for (int notes = 0; notes < 3; ++notes)
        CHECK(fixture.run(listener->next_notification()).payload ==
              store::wake_up_payloads({{9, endpoint}}).at(0));
    CHECK(fixture.job("replayed || ' ' || state") == "5 finished");
    stop.emit(boost::asio::cancellation_type::all);
    while (!ended) fixture.io().run_one();
    CHECK_THROWS_AS(std::rethrow_exception(end), boost::system::system_error);
}

TEST_CASE("wake-ups name each endpoint once and stay within what a notification may hold") {
    const auto endpoint = EndpointId::make(RealClock().system_now());
    CHECK(store::wake_up_payloads({}).empty());
    const auto once = store::wake_up_payloads({{3, endpoint}, {3, endpoint}});
    REQUIRE(once.size() == 1);
    CHECK(once[0].size() == 2 + 32);
    std::vector<std::pair<int, EndpointId>> many;
    for (int shard = 0; shard < 64; ++shard)
        for (int i = 0; i < (shard == 5 ? 101 : 20); ++i)
            many.emplace_back(shard, EndpointId::make(RealClock().system_now()));
    const auto payloads = store::wake_up_payloads(many);
    CHECK(payloads.size() > 1);
    std::size_t entries = 0;
    for (const auto& payload : payloads) {
        CHECK(payload.size() <= 7'000);
        entries += static_cast<std::size_t>(std::count(payload.begin(), payload.end(), ',')) + 1;
    }
    CHECK(entries == 63 * 20 + 1);
    CHECK_THAT(payloads[0], contains(",5:*,"));
}
