#include "store/accept.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <set>

#include "base/random.hpp"
#include "domain/endpoint_filter.hpp"
#include "store/delivery.hpp"
#include "store/queries.hpp"
#include "support/catch.hpp"
#include "support/store_fixture.hpp"

using namespace posthorn;
using namespace boost::asio::experimental::awaitable_operators;
using boost::asio::awaitable;
using posthorn::test::StoreFixture;
using store::Acceptance;

namespace {

using Acceptances = std::vector<Acceptance>;
using Messages = std::vector<store::NewMessage>;

struct AcceptFixture : StoreFixture {
    AcceptFixture() : connection(open(true)), application(make_application()) {}

    store::NewMessage message(std::optional<std::string> key = std::nullopt,
                              std::optional<std::string> event_id = std::nullopt, std::string hash = "h") {
        store::NewMessage made;
        made.id = MessageId{ids.next(RealClock().system_now())};
        made.application = application;
        made.event_type = "a.b";
        made.idempotency_key = std::move(key);
        made.event_id = std::move(event_id);
        made.body_hash = std::move(hash);
        made.payload = std::make_shared<const std::string>("{\"n\":1.50}");
        return made;
    }

    static awaitable<store::AcceptedBatch> accept(store::Connection& on, Messages messages,
                                                  bool tried_before = false) {
        std::vector<const store::NewMessage*> pointers;
        for (const auto& one : messages) pointers.push_back(&one);
        co_return co_await store::accept_messages(on, pointers, std::chrono::hours(1), tried_before);
    }
    // The SQLSTATE that it is refused with; empty if it is not.
    static awaitable<std::string> refusal_of(store::Connection& on, Messages messages) {
        try {
            co_await accept(on, std::move(messages));
        } catch (const store::DatabaseError& error) {
            co_return error.sqlstate();
        }
        co_return "";
    }
    store::AcceptedBatch accept(Messages messages, bool tried_before = false) {
        return run(accept(*connection, std::move(messages), tried_before));
    }

    store::KeyHolders holders(const store::NewMessage& message) {
        const std::vector<const store::NewMessage*> one{&message};
        return run(store::find_key_holders(*connection, one)).at(0);
    }
    std::string count(const std::string& table) const { return sql("SELECT count(*) FROM " + table); }

    // Returns when a session of this database waits for a lock.
    awaitable<void> until_blocked() const {
        boost::asio::steady_timer pause(co_await boost::asio::this_coro::executor);
        while (sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
                   "wait_event_type = 'Lock'") == "0") {
            pause.expires_after(std::chrono::milliseconds(2));
            co_await pause.async_wait(boost::asio::use_awaitable);
        }
    }

    UuidV7Generator ids;
    std::unique_ptr<store::Connection> connection;
    ApplicationId application;
};

std::string array_literal(const std::vector<std::string>& names) {
    std::string text;
    for (const auto& name : names) text += (text.empty() ? "" : ",") + name;
    return "'{" + text + "}'";
}

std::vector<std::string> random_names(Random& random, const std::vector<std::string>& from,
                                      std::size_t least) {
    std::vector<std::string> names;
    for (const auto& name : from)
        if (random.next() % 3 == 0) names.push_back(name);
    while (names.size() < least) names.push_back(from[random.next() % from.size()]);
    return names;
}

}  // namespace

TEST_CASE("a message is stored byte for byte together with its deliveries") {
    AcceptFixture f;
    const auto endpoint = f.make_endpoint(f.application, 11);
    auto message = f.message(std::nullopt, "event-1");
    message.channels = {"one", "two"};
    const auto batch = f.accept({message});
    CHECK(batch.messages == Acceptances{Acceptance::accepted});
    REQUIRE(batch.deliveries.size() == 1);
    CHECK(batch.deliveries[0].application == f.application);
    CHECK(batch.deliveries[0].endpoint == endpoint);
    CHECK(batch.deliveries[0].message == message.id);
    CHECK(batch.deliveries[0].shard == 11);
    CHECK_FALSE(batch.deliveries[0].from_table);
    CHECK(f.sql("SELECT convert_from(payload, 'UTF8') || event_type || array_to_string(channels, '/') || "
                "event_id FROM message") == "{\"n\":1.50}a.bone/twoevent-1");
    CHECK(
        f.sql(
            "SELECT run_id FROM delivery WHERE attempt = 1 AND NOT manual AND due_at <= clock_timestamp()") ==
        std::to_string(batch.deliveries[0].run_id));
}

TEST_CASE("the fan-out follows the same rule as domain::matches") {
    AcceptFixture f;
    Random random(8'071);
    const std::vector<std::string> types{"a", "a.b", "b", "c-d", "E_f", "a.b.c", "E_f.g", "EXf.g"},
        listed{"a", "a.b", "b", "c-d", "E_f", "a.*", "E_f.*", "a.b.*"},
        channels{"one", "two", "three", "four"};
    std::map<EndpointId, domain::EndpointFilter> filters;
    for (int i = 0; i < 80; ++i) {
        domain::EndpointFilter filter;
        if (random.next() % 2 == 0) filter.event_types = random_names(random, listed, 1);
        if (random.next() % 2 == 0) filter.channels = random_names(random, channels, 1);
        const auto id = f.make_endpoint(
            f.application, i % 64, "event_types, channels",
            fmt::format("{}, {}", filter.event_types ? array_literal(*filter.event_types) : "NULL",
                        filter.channels ? array_literal(*filter.channels) : "NULL"));
        filters.emplace(id, filter);
    }
    f.make_endpoint(f.application, 0, "disabled", "true");
    f.make_endpoint(f.application, 0, "deleted_at", "now()");
    f.make_endpoint(f.make_application(), 0);
    Messages messages;
    std::set<std::pair<MessageId, EndpointId>> wanted, made;
    for (int i = 0; i < 60; ++i) {
        auto& message = messages.emplace_back(f.message());
        message.event_type = types[random.next() % types.size()];
        message.channels = random_names(random, channels, 0);
        for (const auto& [endpoint, filter] : filters)
            if (domain::matches(filter, message.event_type, message.channels))
                wanted.emplace(message.id, endpoint);
    }
    std::int64_t last_run = 0;
    MessageId last_message;
    for (const auto& delivery : f.accept(messages).deliveries) {
        made.emplace(delivery.message, delivery.endpoint);
        CHECK(delivery.run_id > last_run);
        CHECK(delivery.message >= last_message);
        last_run = delivery.run_id;
        last_message = delivery.message;
    }
    CHECK(made == wanted);
    CHECK(f.count("delivery") == std::to_string(wanted.size()));
}

TEST_CASE("tags, headers, a raw payload and the time of delivery are stored, and the delivery waits for it") {
    AcceptFixture f;
    f.make_endpoint(f.application, 0);
    auto later = f.message(), now = f.message();
    later.tags = {"one", "two"};
    later.extras = domain::make_extras({.headers = {{"X-A", "1\"2"}},
                                        .raw = true,
                                        .deliver_at = RealClock().system_now() + std::chrono::hours(1)});
    const auto batch = f.accept({later, now});
    REQUIRE(batch.deliveries.size() == 2);
    CHECK(batch.deliveries[0].from_table);
    CHECK_FALSE(batch.deliveries[1].from_table);
    CHECK(f.sql("SELECT tags, headers, raw FROM message WHERE raw") == "{one,two}");
    CHECK(f.sql("SELECT headers FROM message WHERE raw") == R"({"X-A":"1\"2"})");
    CHECK(f.sql("SELECT count(*) FROM message m JOIN delivery d ON d.message_id = m.id AND d.due_at = "
                "m.deliver_at") == "1");
    const auto rows =
        f.run(store::load_payloads(*f.connection, {f.application, f.application}, {later.id, now.id}, 1'000));
    REQUIRE(rows.size() == 2);
    for (const auto& row : rows) {
        if (row.message == later.id)
            CHECK(*row.extras == *later.extras);
        else
            CHECK(row.extras == nullptr);
    }
}

TEST_CASE("an application is found by id or uid, within its organization, and not when deleted") {
    AcceptFixture f;
    const auto deleted = f.make_application();
    f.sql(fmt::format("UPDATE application SET uid = 'mine' WHERE id = '{}'", to_string(f.application.value)));
    f.sql(fmt::format("UPDATE application SET uid = 'gone', deleted_at = now() WHERE id = '{}'",
                      to_string(deleted.value)));
    Messages messages;
    for (const auto& reference : std::vector<store::ApplicationReference>{
             f.application, "mine", "nobody", deleted, "gone", ApplicationId::make(RealClock().system_now())})
        messages.emplace_back(f.message()).application = reference;
    messages.emplace_back(f.message()).organization = OrganizationId::make(RealClock().system_now());
    auto& foreign_uid = messages.emplace_back(f.message());
    foreign_uid.organization = messages[6].organization;
    foreign_uid.application = "mine";
    const auto unknown = Acceptance::unknown_application;
    CHECK(f.accept(messages).messages == Acceptances{Acceptance::accepted, Acceptance::accepted, unknown,
                                                     unknown, unknown, unknown, unknown, unknown});
    CHECK(f.count("message") == "2");
    CHECK(f.count("message WHERE app_id <> '" + to_string(f.application.value) + "'") == "0");
}

TEST_CASE("a key that is taken refuses the later message and names the first") {
    AcceptFixture f;
    const auto first = f.message("k", "e", "one");
    CHECK(f.accept({first}).messages == Acceptances{Acceptance::accepted});
    const auto by_header = f.message("k", {}, "two"), by_event = f.message({}, "e", "two"),
               both = f.message("k", "e", "two"), half_new = f.message("new", "e", "two"),
               crossed = f.message("e", "k");
    const auto taken = Acceptance::key_taken;
    CHECK(f.accept({by_header, by_event, both, half_new, crossed}).messages ==
          Acceptances{taken, taken, taken, taken, Acceptance::accepted});
    CHECK(f.count("message") == "2");
    CHECK(f.count("idempotency_key") == "4");  // the new half of a hopeless message was not kept
    for (const auto* message : {&by_header, &both}) {
        REQUIRE(f.holders(*message).idempotency_key);
        CHECK(f.holders(*message).idempotency_key->message == first.id);
        CHECK(f.holders(*message).idempotency_key->body_hash == "one");
    }
    CHECK_FALSE(f.holders(by_header).event_id);
    CHECK(f.holders(half_new).event_id->message == first.id);
    CHECK_FALSE(f.holders(half_new).idempotency_key);
}

TEST_CASE("keys belong to one application, and an expired one is free again") {
    AcceptFixture f;
    auto elsewhere = f.message("k", "e");
    elsewhere.application = f.make_application();
    CHECK(f.accept({elsewhere, f.message("k", "e")}).messages ==
          Acceptances{Acceptance::accepted, Acceptance::accepted});
    f.sql("UPDATE idempotency_key SET expires_at = now() - interval '1 second'");
    const auto again = f.message("k", "e");
    CHECK_FALSE(f.holders(again).event_id);
    CHECK(f.accept({again}).messages == Acceptances{Acceptance::accepted});
    CHECK(f.holders(again).event_id->message == again.id);
    CHECK(f.count("message") == "3");
}

TEST_CASE("of two messages with one key in a batch the first is stored") {
    AcceptFixture f;
    f.sql("UPDATE application SET uid = 'mine'");
    const auto first = f.message("k");
    auto second = f.message("k");
    second.application = "mine";
    CHECK(f.accept({first, second}).messages == Acceptances{Acceptance::accepted, Acceptance::key_taken});
    CHECK(f.holders(second).idempotency_key->message == first.id);
}

TEST_CASE("a message that wins one of its two keys undoes the whole batch") {
    AcceptFixture f;
    const Messages messages{f.message("k1", "e"), f.message("k2", "e"), f.message()};
    CHECK(f.run(AcceptFixture::refusal_of(*f.connection, messages)) == store::partial_win);
    CHECK(f.count("message") == "0");
    CHECK(f.count("idempotency_key") == "0");
}

TEST_CASE("a message that wins one of its two keys against a commit that it could not see undoes its batch") {
    AcceptFixture f;
    auto other = f.open(true);
    f.run(other->run("BEGIN"));
    f.run(AcceptFixture::accept(*other, {f.message("k")}));
    const auto commit_later = [&]() -> awaitable<void> {
        co_await f.until_blocked();
        co_await other->run("COMMIT");
    };
    const Messages messages{f.message("k", "e")};
    CHECK(f.run(AcceptFixture::refusal_of(*f.connection, messages) && commit_later()) == store::partial_win);
    CHECK(f.count("message") == "1");
    CHECK(f.count("idempotency_key") == "1");
}

TEST_CASE("racing batches with the same keys store each key's message once and never deadlock") {
    AcceptFixture f;
    f.make_endpoint(f.application);
    auto other = f.open(true);
    constexpr int rounds = 60, keys = 40;
    const auto batch_of = [&](int round, bool backwards) {
        Messages messages;
        for (int i = 0; i < keys; ++i) {
            const int number = backwards ? keys - 1 - i : i;
            messages.push_back(
                f.message(fmt::format("k{}-{}", round, number), fmt::format("e{}-{}", round, number)));
        }
        return messages;
    };
    for (int round = 0; round < rounds; ++round) {
        const auto [one, two] = f.run(AcceptFixture::accept(*f.connection, batch_of(round, false)) &&
                                      AcceptFixture::accept(*other, batch_of(round, true)));
        const auto won = std::count(one.messages.begin(), one.messages.end(), Acceptance::accepted) +
                         std::count(two.messages.begin(), two.messages.end(), Acceptance::accepted);
        REQUIRE(won == keys);
    }
    CHECK(f.count("message") == std::to_string(rounds * keys));
    CHECK(f.count("delivery") == std::to_string(rounds * keys));
}

TEST_CASE("a batch sent again with its ids is accepted and changes nothing") {
    AcceptFixture f;
    f.make_endpoint(f.application);
    const bool with_keys = GENERATE(false, true);
    const Messages messages = with_keys ? Messages{f.message(), f.message("k"), f.message("k2", "e")}
                                        : Messages{f.message(), f.message(), f.message()};
    f.accept(messages);
    const auto state = f.sql("SELECT string_agg(d::text, '') FROM delivery d");
    const auto again = f.accept(messages, true);
    CHECK(again.messages == Acceptances(3, Acceptance::accepted_before));
    CHECK(again.deliveries.empty());
    CHECK(f.sql("SELECT string_agg(d::text, '') FROM delivery d") == state);
    CHECK(f.count("message") == "3");
}

TEST_CASE("a batch sent again while its first try still runs waits for it") {
    AcceptFixture f;
    f.make_endpoint(f.application, 0, "ordered", "true");
    const bool with_key = GENERATE(false, true), committed = GENERATE(false, true);
    const Messages messages{with_key ? f.message("k", "e") : f.message()};
    auto first_try = f.open(true);
    f.run(first_try->run("BEGIN"));
    f.run(AcceptFixture::accept(*first_try, messages));
    const auto end_later = [&]() -> awaitable<void> {
        co_await f.until_blocked();
        co_await first_try->run(committed ? "COMMIT" : "ROLLBACK");
    };
    const auto batch = f.run(AcceptFixture::accept(*f.connection, messages, true) && end_later());
    CHECK(batch.messages == Acceptances{committed ? Acceptance::accepted_before : Acceptance::accepted});
    CHECK(batch.deliveries.size() == (committed ? 0 : 1));
    CHECK(f.count("message") == "1");
    CHECK(f.count("delivery") == "1");
}

TEST_CASE("numbers of an ordered endpoint become visible in order") {
    AcceptFixture f;
    const auto endpoint = f.make_endpoint(f.application, 0, "ordered", "true");
    f.make_endpoint(f.application, 0);
    auto other = f.open(true), reader = f.open();
    bool done = false;
    constexpr int rounds = 150;
    const auto write = [&](store::Connection& on) -> awaitable<void> {
        for (int i = 0; i < rounds; ++i) co_await AcceptFixture::accept(on, Messages(1, f.message()));
    };
    const auto write_both = [&]() -> awaitable<void> {
        co_await (write(*f.connection) && write(*other));
        done = true;
    };
    const auto read = [&]() -> awaitable<void> {
        const store::Statement runs{"test_runs",
                                    "SELECT run_id FROM delivery WHERE endpoint_id = $1 ORDER BY run_id"};
        std::vector<std::int64_t> seen;
        while (!done) {
            const auto rows = co_await reader->exec(runs, store::Params::of(endpoint));
            std::vector<std::int64_t> now;
            for (int row = 0; row < rows.size(); ++row) now.push_back(rows.get<std::int64_t>(row, 0));
            const bool only_appended =
                now.size() >= seen.size() && std::equal(seen.begin(), seen.end(), now.begin());
            if (!only_appended) REQUIRE(only_appended);
            seen = std::move(now);
        }
    };
    f.run(write_both() && read());
    CHECK(f.count("delivery WHERE ordered") == std::to_string(2 * rounds));
}

TEST_CASE("an ordered endpoint makes the next batch wait until the commit, another does not") {
    AcceptFixture f;
    const bool ordered = GENERATE(false, true);
    f.make_endpoint(f.application, 0, "ordered", ordered ? "true" : "false");
    auto other = f.open(true);
    f.run(other->run("BEGIN"));
    const auto first = f.run(AcceptFixture::accept(*other, {f.message()}));
    const auto commit_later = [&]() -> awaitable<void> {
        if (ordered) co_await f.until_blocked();
        co_await other->run("COMMIT");
    };
    const auto second = ordered ? f.run(AcceptFixture::accept(*f.connection, {f.message()}) && commit_later())
                                : f.accept({f.message()});
    CHECK(second.deliveries.at(0).run_id > first.deliveries.at(0).run_id);
    CHECK(second.deliveries.at(0).from_table == ordered);
}

TEST_CASE(
    "a message that was held to another schema than its event type enforces is left alone with its keys") {
    AcceptFixture f;
    f.make_endpoint(f.application);
    const auto enforce = [&](const std::string& name, const std::string& columns, const std::string& values) {
        return std::stoll(
            f.sql(fmt::format("INSERT INTO event_type (id, org_id, name, description, enforce_schema{}) "
                              "VALUES (gen_random_uuid(), '{}', "
                              "'{}', '', true{}) RETURNING schema_revision",
                              columns, to_string(Uuid{}), name, values)));
    };
    const auto revision = enforce("a.b", "", "");
    enforce("archived", ", archived", ", true");
    enforce("deleted", ", deleted_at", ", now()");
    const auto of = [&](const std::string& type, std::int64_t held_to, std::optional<std::string> key = {},
                        std::optional<std::string> event_id = {}) {
        auto made = f.message(std::move(key), std::move(event_id));
        made.event_type = type;
        made.schema_revision = held_to;
        return made;
    };
    const auto changed = Acceptance::schema_changed, accepted = Acceptance::accepted;
    const auto batch =
        f.accept({of("a.b", 0, "k", "e"), of("a.b", revision, "k"), of("a.b", revision - 1),
                  of("archived", 0), of("deleted", 0), of("a", 0), of("a", revision), of("a.b", -1)});
    CHECK(batch.messages ==
          Acceptances{changed, accepted, changed, accepted, accepted, accepted, changed, changed});
    CHECK(batch.deliveries.size() == 4);
    CHECK(f.count("message") == "4");
    CHECK(f.count("idempotency_key") == "1");  // that of the second
    auto elsewhere = of("a.b", 0);
    elsewhere.application = ApplicationId::make(RealClock().system_now());
    CHECK(f.accept({elsewhere}).messages == Acceptances{changed});
}

TEST_CASE("a delivery's place is where its row lies") {
    AcceptFixture f;
    f.make_endpoint(f.application);
    const bool with_key = GENERATE(false, true);
    const auto batch = f.accept({f.message(), with_key ? f.message("k") : f.message()});
    for (const auto& delivery : batch.deliveries)
        CHECK(f.sql(fmt::format("SELECT run_id FROM delivery WHERE ctid = '({},{})'", delivery.place.block,
                                delivery.place.number)) == std::to_string(delivery.run_id));
    CHECK(batch.deliveries.size() == 2);
}

TEST_CASE("accepting walks indexes, whatever the tables hold") {
    AcceptFixture f;
    f.accept({f.message("k", "e")});  // the plan is made while the tables are empty
    f.accept({f.message()});
    f.sql(
        "INSERT INTO application (id, org_id, uid, name) SELECT md5('a' || g)::uuid, md5('o')::uuid, 'uid' "
        "|| g, '' "
        "FROM generate_series(1, 20000) g");
    f.sql(
        "INSERT INTO endpoint (id, app_id, org_id, url, shard, ordered) SELECT md5('e' || g)::uuid, md5('a' "
        "|| (g % 20000 + 1))::uuid, "
        "md5('o')::uuid, '', g % 64, g % 100 = 0 FROM generate_series(1, 100000) g");
    f.sql(
        "INSERT INTO idempotency_key SELECT md5('a' || (g % 20000 + 1))::uuid, g % 2, g, md5('m' || "
        "g)::uuid, '', now() + '1 day' "
        "FROM generate_series(1, 200000) g");
    f.sql(
        "INSERT INTO message (app_id, id, event_type) SELECT md5('a' || (g % 20000 + 1))::uuid, "
        "overlay(uuid_v7_floor(now())::text PLACING lpad(to_hex(g), 12, '0') FROM 25)::uuid, '' FROM "
        "generate_series(1, 200000) g");
    f.sql(
        "INSERT INTO event_type (id, org_id, name, description, enforce_schema) SELECT md5('t' || g)::uuid, "
        "md5('o')::uuid, 't' || g, '', g % 10 = 0 FROM generate_series(1, 20000) g");
    const bool analyzed = GENERATE(false, true);
    for (const auto* table : {"application", "endpoint", "idempotency_key", "message", "event_type"})
        if (analyzed) f.sql(fmt::format("ANALYZE {}", table));
    const bool plain = GENERATE(false, true);
    const auto id = "'{" + to_string(f.message().id.value) + "}'";
    const auto explain =
        plain
            ? fmt::format(
                  "EXPLAIN EXECUTE accept_plain_messages({0}, {0}, '{{x}}', {0}, '{{x}}', '{{x}}', '{{x}}', "
                  "'{{x}}', '{{x}}', '{{f}}', '{{now}}', '{{0}}')",
                  id)
            : fmt::format(
                  "EXPLAIN EXECUTE accept_messages({0}, {0}, '{{x}}', {0}, '{{x}}', '{{x}}', '{{x}}', "
                  "'{{x}}', "
                  "'{{x}}', '{{x}}', 1, '{{x}}', '{{x}}', '{{f}}', '{{now}}', '{{0}}')",
                  id);
    const auto rows = f.run(f.connection->exec(store::Statement{"test_explain", explain}));
    std::string plan;
    for (int row = 0; row < rows.size(); ++row) plan += rows.get<std::string>(row, 0) + "\n";
    INFO(plan);
    CHECK(plan.find("Seq Scan") == std::string::npos);
    CHECK(plan.find("Hash Join") == std::string::npos);
    CHECK(plan.find("Merge Join") == std::string::npos);
    CHECK(plan.find("Hash Semi Join") == std::string::npos);
    CHECK_THAT(plan, test::contains("endpoint_of_application"));
    CHECK_THAT(plan, test::contains("endpoint_ordered"));
    CHECK_THAT(plan, test::contains("event_type_enforced"));
    const std::string input = plain ? "i_1" : "i";
    CHECK_THAT(plan, test::contains(fmt::format(
                         "Index Cond: ((org_id = {0}.org_id) AND (name = {0}.event_type))", input)));
    CHECK_THAT(plan, test::contains("Index Cond: (app_id = m.app_id)"));
    CHECK_THAT(plan, test::contains(
                         fmt::format("Index Cond: ((org_id = {0}.org_id) AND (uid = {0}.app_uid))", input)));
    if (!plain) CHECK_THAT(plan, test::contains("AND (kind = ('0'::smallint)) AND (key = input.key))"));
    CHECK(plan.find("Join Filter") == std::string::npos);
}
