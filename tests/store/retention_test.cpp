#include "store/retention.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "support/catch.hpp"
#include "support/delivery_rows.hpp"
#include "support/store_fixture.hpp"

using namespace posthorn;
using namespace posthorn::test;
using std::chrono::days;

namespace {
constexpr days ninety_days{90};

struct RetentionFixture : StoreFixture {
    ApplicationId application = make_application();
    EndpointId endpoint = make_endpoint(application);
    DeliveryRows rows{conninfo()};
    SystemTime now = RealClock().system_now();
    std::unique_ptr<store::Connection> connection = open();

    // Partitions that reach back beyond the retention.
    void reach_back() const { sql("SELECT make_partitions(now() - interval '130 days', now())"); }
    std::optional<store::RetentionReport> apply(std::chrono::seconds retention = ninety_days) {
        return run(store::apply_retention(*connection, retention));
    }
    std::string count(const std::string& from) const { return sql("SELECT count(*) FROM " + from); }
    std::string partition_of(MessageId message) const {
        return sql("SELECT tableoid::regclass FROM message WHERE id = " + quoted_id(message));
    }
};

bool holds(const std::vector<std::string>& list, const std::string& item) {
    return std::find(list.begin(), list.end(), item) != list.end();
}
}  // namespace

TEST_CASE("partitions are made around now, once, also by two processes at a time") {
    RetentionFixture fixture;
    auto other = fixture.open();
    using namespace boost::asio::experimental::awaitable_operators;
    fixture.run(store::ensure_partitions(*fixture.connection) && store::ensure_partitions(*other));
    const auto made = fixture.count("pg_inherits WHERE inhparent = 'message'::regclass");
    CHECK(std::stoi(made) >= 7);
    fixture.run(store::ensure_partitions(*fixture.connection));
    CHECK(fixture.count("pg_inherits WHERE inhparent = 'message'::regclass") == made);
    for (const auto at : {fixture.now - days(14), fixture.now, fixture.now + days(28)})
        CHECK_NOTHROW(fixture.rows.message(fixture.application, at));
    CHECK(fixture.count(
              "pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid WHERE i.inhparent = 'attempt'::regclass "
              "AND NOT EXISTS (SELECT 1 FROM pg_index x WHERE x.indrelid = c.oid AND x.indisprimary)") ==
          "0");
}

TEST_CASE("retention drops partitions that are wholly older, and keeps the younger") {
    RetentionFixture fixture;
    fixture.reach_back();
    const auto old = fixture.rows.message(fixture.application, fixture.now - days(110));
    const auto young = fixture.rows.message(fixture.application, fixture.now - days(89));
    fixture.rows.attempt(fixture.application, fixture.endpoint, old, fixture.now - days(110), {});
    fixture.rows.attempt(fixture.application, fixture.endpoint, young, fixture.now - days(89), {});
    const auto week = fixture.partition_of(old);
    const auto report = fixture.apply();
    REQUIRE(report);
    CHECK(holds(report->dropped, week));
    CHECK(report->kept.empty());
    CHECK(fixture.sql("SELECT to_regclass('" + week + "') IS NULL") == "t");
    CHECK(fixture.count("message") == "1");
    CHECK(fixture.count("attempt") == "1");
    CHECK(fixture.partition_of(young) != "");
    CHECK(fixture.apply()->dropped.empty());
}

TEST_CASE("a partition with a message that is live or a dead letter is kept, and others are not") {
    RetentionFixture fixture;
    fixture.reach_back();
    const auto message = fixture.rows.message(fixture.application, fixture.now - days(110));
    const auto later = fixture.rows.message(fixture.application, fixture.now - days(102));
    const auto week = fixture.partition_of(message);
    const auto next_week = fixture.partition_of(later);
    REQUIRE(week != next_week);
    std::string unfinished = "dead_letter";
    SECTION("a dead letter that ended a short while ago") {
        fixture.rows.dead_letter({}, fixture.application, fixture.endpoint, message);
    }
    SECTION("a live delivery") {
        fixture.rows.live(fixture.application, fixture.endpoint, message, 1);
        unfinished = "delivery";
    }
    const auto report = fixture.apply();
    CHECK(report->kept == std::vector<std::string>{week});
    CHECK(holds(report->dropped, next_week));
    CHECK(fixture.count("message") == "1");
    fixture.sql("DELETE FROM " + unfinished);
    CHECK(holds(fixture.apply()->dropped, week));
}

TEST_CASE("dead letters that ended before the retention go first, in batches") {
    RetentionFixture fixture;
    fixture.reach_back();
    const auto message = fixture.rows.message(fixture.application, fixture.now - days(110));
    fixture.rows.dead_letter({}, fixture.application, fixture.endpoint, message,
                             domain::DeadLetterReason::exhausted, "now() - interval '109 days'");
    fixture.sql(fmt::format(
        "INSERT INTO dead_letter (app_id, endpoint_id, message_id, org_id, event_type, reason, attempts, "
        "run_id, ended_at) "
        "SELECT {}, {}, gen_random_uuid(), {}, 'a', 1, 8, g, now() - (g - 0.5) * interval '1 hour' FROM "
        "generate_series(1, 3000) g",
        quoted_id(fixture.application), quoted_id(fixture.endpoint), quoted_id(OrganizationId{})));
    const auto week = fixture.partition_of(message);
    const auto report = fixture.apply();
    CHECK(report->dead_letters == 1 + 3000 - 90 * 24);
    CHECK(holds(report->dropped, week));
    CHECK(fixture.count("dead_letter") == std::to_string(90 * 24));
}

TEST_CASE("a partition that is in use is left for the next time") {
    RetentionFixture fixture;
    constexpr days retention{113};  // so that one week is wholly older, and the lock is waited for once
    fixture.sql("SELECT make_partitions(now() - interval '120 days', now())");
    const auto message = fixture.rows.message(fixture.application, fixture.now - days(120));
    const auto week = fixture.partition_of(message);
    auto reader = fixture.open();
    fixture.run([](store::Connection& connection) -> boost::asio::awaitable<void> {
        co_await connection.run("BEGIN; SELECT count(*) FROM message");
    }(*reader));
    const auto report = fixture.apply(retention);
    REQUIRE(report);
    CHECK(holds(report->kept, week));
    reader.reset();
    CHECK(holds(fixture.apply(retention)->dropped, week));
}

TEST_CASE("retention that is shorter than the partitions behind does not make what it drops") {
    RetentionFixture fixture;
    fixture.run(store::ensure_partitions(*fixture.connection));
    const auto first = fixture.apply(days(1));
    CHECK_FALSE(first->dropped.empty());
    CHECK(fixture.apply(days(1))->dropped.empty());
}

TEST_CASE("expired keys and the traces of what is long over are deleted") {
    RetentionFixture fixture;
    fixture.sql(
        fmt::format("INSERT INTO idempotency_key (app_id, kind, key, message_id, body_hash, expires_at) "
                    "SELECT {}, 0, g::text, gen_random_uuid(), '', now() + (g - 2500.5) * interval '1 "
                    "minute' FROM generate_series(1, 2600) g",
                    quoted_id(fixture.application)));
    fixture.sql(
        "INSERT INTO endpoint_change (endpoint_id, shard, version, changed_at, acked_version, acked_epoch) "
        "VALUES "
        "(gen_random_uuid(), 0, 2, now() - interval '11 minutes', 2, 1), "
        "(gen_random_uuid(), 0, 2, now() - interval '11 minutes', 1, 1), "
        "(gen_random_uuid(), 0, 2, now() - interval '9 minutes', 2, 1)");
    fixture.sql(
        "INSERT INTO process (id, worker, host, seen_at) VALUES "
        "(gen_random_uuid(), true, 'gone', now() - interval '25 hours'), "
        "('00000000-0000-0000-0000-000000000001', true, 'owner', now() - interval '25 hours'), "
        "(gen_random_uuid(), true, 'alive', now()); "
        "UPDATE shard_lease SET process_id = '00000000-0000-0000-0000-000000000001' WHERE shard = 3");
    fixture.sql(
        "INSERT INTO replay_job (id, org_id, kind, state, updated_at) VALUES "
        "(gen_random_uuid(), gen_random_uuid(), 'recover', 'finished', now() - interval '91 days'), "
        "(gen_random_uuid(), gen_random_uuid(), 'recover', 'running', now() - interval '91 days'), "
        "(gen_random_uuid(), gen_random_uuid(), 'recover', 'finished', now())");
    const auto report = fixture.apply();
    CHECK(report->idempotency_keys == 2500);
    CHECK(fixture.count("idempotency_key") == "100");
    CHECK(fixture.count("endpoint_change") == "2");
    CHECK(fixture.sql("SELECT string_agg(host, ' ' ORDER BY host) FROM process") == "alive owner");
    CHECK(report->replay_jobs == 1);
    CHECK(fixture.count("replay_job") == "2");
}

TEST_CASE("one process at a time sees to retention") {
    RetentionFixture fixture;
    auto other = fixture.open();
    fixture.run([](store::Connection& connection) -> boost::asio::awaitable<void> {
        co_await connection.run("SELECT pg_advisory_lock(8071002)");
    }(*other));
    CHECK_FALSE(fixture.apply());
    other.reset();
    // The server notices the end of that session in its own time.
    std::optional<store::RetentionReport> report;
    for (int tries = 0; tries < 1'000 && !report; ++tries) report = fixture.apply();
    CHECK(report);
}
