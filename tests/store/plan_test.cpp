// The hot statements' generic plans, as their connections get them, against filled tables: one with a
// sequential scan would take a hundred times as long.
#include <fmt/format.h>
#include <regex>

#include "store/migrations.hpp"
#include "store/queries.hpp"
#include "support/catch.hpp"
#include "support/store_fixture.hpp"

using namespace posthorn;
using posthorn::test::StoreFixture;

namespace {

std::string plan_of(StoreFixture& fixture, const store::Statement& statement, const std::string& arguments) {
    const std::string session =
        "SET plan_cache_mode = force_generic_plan; SET jit = off; SET enable_seqscan = off; SET "
        "enable_hashjoin = off; "
        "SET enable_mergejoin = off; ";
    return fixture.sql(session + fmt::format("PREPARE p AS {}; EXPLAIN (FORMAT JSON) EXECUTE p({})",
                                             statement.sql, arguments));
}

void fill(StoreFixture& fixture) {
    const auto application = to_string(fixture.make_application().value);
    fixture.sql(fmt::format(R"(
        INSERT INTO endpoint (id, app_id, org_id, url, shard)
            SELECT gen_random_uuid(), '{0}', '{1}', 'http://127.0.0.1/', n % 64 FROM generate_series(1, 2000) n;
        INSERT INTO delivery (app_id, endpoint_id, message_id, shard, due_at)
            SELECT '{0}', e.id, gen_random_uuid(), e.shard, now() FROM endpoint e, generate_series(1, 50);
        INSERT INTO message (app_id, id, event_type, payload)
            SELECT '{0}', (substr(uuid_v7_floor(now())::text, 1, 24) || lpad(to_hex(n), 12, '0'))::uuid, 't', '\x7b7d'
            FROM generate_series(1, 20000) n;
        ANALYZE endpoint, delivery, message)",
                            application, to_string(Uuid{})));
}

}  // namespace

TEST_CASE("the workers' statements never scan a whole table") {
    StoreFixture fixture;
    fill(fixture);
    const std::string id = "'{00000000-0000-0000-0000-000000000000}'";
    const auto check = [&](const store::Statement& statement, const std::string& arguments) {
        const auto plan = plan_of(fixture, statement, arguments);
        INFO(statement.name << "\n" << plan);
        CHECK(plan.find("\"Node Type\": \"Seq Scan\"") == std::string::npos);
        CHECK(plan.find("Index") != std::string::npos);
    };
    check(store::sql::list_backlogged_endpoints, "'{1,2,3}'");
    check(store::sql::probe_endpoints, "'{1}', " + id + ", '{64}', '{-infinity}'");
    check(store::sql::probe_ordered_endpoints, "'{1}', " + id);
    check(store::sql::load_payloads, id + ", " + id + ", 1000");
    check(store::sql::end_deliveries_of_endpoint,
          "1::int2, 1::int8, '00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000', "
          "2::int2, " +
              id + ", 500");
}

TEST_CASE("completion finds rows by their keys, also where the plan is made while the tables are empty") {
    StoreFixture fixture;
    SECTION("full") { fill(fixture); }
    SECTION("emptied") {
        fill(fixture);
        fixture.sql("DELETE FROM delivery");
        const std::string vacuum = GENERATE("VACUUM ", "VACUUM ANALYZE ");
        for (const auto* table : {"delivery", "dead_letter", "message", "endpoint"})
            fixture.sql(vacuum + table);
    }
    SECTION("restored from a dump") {
        fixture.sql("REINDEX INDEX CONCURRENTLY delivery_due");
        auto connection = fixture.open();
        fixture.run(store::migrate(*connection));
        for (const auto* table : {"delivery", "dead_letter", "message", "endpoint"})
            fixture.sql(fmt::format("VACUUM ANALYZE {}", table));
    }
    SECTION("never filled") {
        for (const auto* table : {"delivery", "dead_letter", "message", "endpoint"})
            fixture.sql(fmt::format("VACUUM ANALYZE {}", table));
    }
    const std::string ids = "'{00000000-0000-0000-0000-000000000000}'";
    const auto plain_plan = plan_of(fixture, store::sql::complete_plain_deliveries,
                                    fmt::format("'{{1}}', '{{1}}', {0}, {0}, {0}, '{{1}}', '{{1}}', {0}, "
                                                "'{{200}}', '{{1}}', '{{u}}', '{{}}', '{{\"(0,1)\"}}'",
                                                ids));
    INFO(plain_plan);
    CHECK(plain_plan.find("Tid Scan") != std::string::npos);
    CHECK(plain_plan.find("\"Node Type\": \"Seq Scan\"") == std::string::npos);
    CHECK(plain_plan.find("delivery_") == std::string::npos);
    const auto plan = plan_of(
        fixture, store::sql::complete_deliveries,
        fmt::format("'{{1}}', '{{1}}', {0}, {0}, {0}, '{{1}}', '{{1}}', '{{0}}', '{{1}}', '{{0}}', {0}, {0}, "
                    "{0}, {0}, "
                    "'{{1}}', '{{1}}', '{{t}}', '{{t}}', '{{200}}', '{{0}}', '{{1}}', '{{u}}', '{{}}'",
                    ids));
    INFO(plan);
    CHECK(plan.find("delivery_pkey") != std::string::npos);
    CHECK(plan.find("delivery_due") == std::string::npos);
    CHECK(plan.find("\"Node Type\": \"Seq Scan\"") == std::string::npos);
    // A table that is walked is compared with the outcomes by a filter.
    const std::regex walk("\"Join Filter\": \"[^\"]*\\.(app_id|endpoint_id|message_id) = ");
    CHECK_FALSE(std::regex_search(plan, walk));
}
