#include <fmt/format.h>

#include "store/migrations.hpp"
#include "store/queries.hpp"
#include "support/catch.hpp"
#include "support/store_fixture.hpp"

using namespace posthorn;
using posthorn::test::StoreFixture;

TEST_CASE("every named statement prepares against the migrated schema") {
    StoreFixture fixture;
    auto connection = fixture.open();
    for (const auto* statement : store::sql::all_statements()) {
        INFO(statement->name);
        const auto text = fmt::format("PREPARE {} AS {}", statement->name, statement->sql);
        REQUIRE_NOTHROW(fixture.run(connection->run(text)));
    }
}

TEST_CASE("migrations run once and a newer schema is refused") {
    StoreFixture fixture;
    auto connection = fixture.open();
    CHECK(fixture.run(store::migrate(*connection)) == 0);
    fixture.sql("INSERT INTO schema_migration (number, name) VALUES (9999, 'of the future')");
    CHECK_THROWS_AS(fixture.run(store::migrate(*connection)), store::SchemaTooNew);
}

TEST_CASE("two processes migrating one database at once do the work once") {
    const auto conninfo = test::TestPostgres::instance().make_database();
    StoreFixture fixture;
    store::ConnectOptions options;
    options.conninfo = conninfo;
    auto first = fixture.run(store::Connection::open(fixture.io().get_executor(), options));
    auto second = fixture.run(store::Connection::open(fixture.io().get_executor(), options));
    using namespace boost::asio::experimental::awaitable_operators;
    const auto [one, two] = fixture.run(store::migrate(*first) && store::migrate(*second));
    CHECK(one + two == static_cast<int>(store::sql::migrations().size()));
    CHECK((one == 0 || two == 0));
}

TEST_CASE("a database that was restored from a dump gets the order of its indexes back") {
    StoreFixture fixture;
    auto connection = fixture.open();
    const auto is_newest = [&] {
        return fixture.run(connection->exec(store::sql::is_delivery_key_newest)).get<bool>(0, 0);
    };
    CHECK(is_newest());
    fixture.sql("REINDEX INDEX CONCURRENTLY delivery_due");  // as if it had been made last
    CHECK_FALSE(is_newest());
    CHECK(fixture.run(store::migrate(*connection)) == 0);
    CHECK(is_newest());
}
