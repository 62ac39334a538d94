#include <fmt/format.h>

#include "support/catch.hpp"
#include "support/store_fixture.hpp"
#include "workers/worker_loop.hpp"

using namespace posthorn;
using posthorn::test::StoreFixture;

namespace {

struct ConfigFixture : StoreFixture {
    ConfigFixture() : application(make_application()), endpoint(make_endpoint(application)) {}

    std::shared_ptr<const workers::EndpointConfig> load() {
        store::PostgresWorkerDatabase database(connect_options());
        const auto session = run(database.open(io().get_executor(), store::SessionUse::fetch));
        const auto configs = run(workers::load_configs(*session, box, {endpoint}));
        REQUIRE(configs.size() == 1);
        return configs[0];
    }
    void add_secret(const std::string& sealed_hex, const std::string& expires_at) const {
        sql(
            fmt::format("INSERT INTO endpoint_secret (id, endpoint_id, sealed, expires_at) VALUES "
                        "(gen_random_uuid(), '{}', decode('{}', 'hex'), {})",
                        to_string(endpoint.value), sealed_hex, expires_at));
    }
    void set(const std::string& table, const std::string& columns) const {
        sql(fmt::format("UPDATE {} SET {}", table, columns));
    }

    domain::SecretBox box{Secret(std::string(32, 'k'))};
    ApplicationId application;
    EndpointId endpoint;
};

}  // namespace

TEST_CASE("an endpoint sealed under another master key can not be sent to, but still be closed (I6)") {
    ConfigFixture f;
    f.add_secret("01020304", "NULL");
    CHECK(f.load()->unreadable);
    CHECK(f.load()->open());
    SECTION("disabled") {
        f.set("endpoint", "disabled = true");
        CHECK(f.load()->disabled);
        CHECK_FALSE(f.load()->unreadable);
    }
    SECTION("its application deleted") {
        f.set("application", "deleted_at = now()");
        CHECK(f.load()->deleted);
    }
}

TEST_CASE("a worker has an endpoint's own rate, or else its application's") {
    ConfigFixture f;
    CHECK(f.load()->rate_limit == 0);
    f.set("application", "rate_limit = 50");
    CHECK(f.load()->rate_limit == 50);
    f.set("endpoint", "rate_limit = 5");
    CHECK(f.load()->rate_limit == 5);
}

TEST_CASE("an endpoint's expired secrets are not read") {
    ConfigFixture f;
    f.add_secret("01020304", "now() - interval '1 second'");
    CHECK_FALSE(f.load()->unreadable);
    CHECK(f.load()->keys.empty());
}
