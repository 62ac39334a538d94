#include <algorithm>

#include "client_fixture.hpp"
#include "egress/name_resolver.hpp"
#include "support/name_server.hpp"
#include "support/scripted_server.hpp"

using namespace posthorn::egress;
using namespace posthorn::egress::test;
using posthorn::test::contains;

TEST_CASE("a name is resolved once for many requests and given in the Host line") {
    NameServer names;
    names.set("hook.test", {"127.0.0.1"});
    ScriptedServer server(answer_all);
    ClientFixture fixture("127.0.0.0/8", with_name_servers(names.as_option()));
    std::vector<std::shared_ptr<Started>> all;
    for (int i = 0; i < 10; ++i) all.push_back(fixture.start(request_to(server.url("hook.test"))));
    for (const auto& started : all) CHECK(fixture.finish(started).failure == Failure::none);
    CHECK(fixture.post(request_to(server.url("hook.test"))).connection_reused);
    CHECK(names.queries() == 1);
    CHECK_THAT(server.received(), contains("Host: hook.test:" + std::to_string(server.port())));
}

TEST_CASE("localhost needs no name server") {
    NameServer names;
    ScriptedServer server(answer_all);
    ClientFixture fixture("127.0.0.0/8,::1", with_name_servers(names.as_option()));
    CHECK(fixture.post(request_to(server.url("localhost"))).failure == Failure::none);
    CHECK(names.queries() == 0);
}

TEST_CASE("one address that is not allowed refuses the name") {
    NameServer names;
    names.set("mixed.test", {"127.0.0.1", "10.0.0.1"});
    ScriptedServer server(answer_all);
    ClientFixture fixture("127.0.0.0/8", with_name_servers(names.as_option()));
    const auto result = fixture.post(request_to(server.url("mixed.test")));
    CHECK(result.failure == Failure::address_refused);
    CHECK(result.detail == "an address of mixed.test is not allowed");
    CHECK(server.connections() == 0);
}

TEST_CASE("a literal address is vetted in any spelling") {
    ScriptedServer server(answer_all);
    ClientFixture fixture("10.0.0.0/8");
    const auto host = GENERATE(as<std::string>(), "127.0.0.1", "127.1", "0x7f000001", "2130706433",
                               "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254");
    const auto result = fixture.post(request_to(server.url(host)));
    INFO(host << ": " << result.detail);
    CHECK(result.failure == Failure::address_refused);
    CHECK_FALSE(result.first_byte_sent);
    CHECK(server.connections() == 0);
}

TEST_CASE("the guard is asked again when the socket opens") {
    ScriptedServer server(answer_all);
    ClientFixture fixture;
    const auto started = fixture.start(request_to(server.url()));
    REQUIRE(fixture.run_until([&] { return fixture.client->in_flight() == 1; }));
    fixture.allow("10.0.0.0/8");
    const auto result = fixture.finish(started);
    CHECK(result.failure == Failure::address_refused);
    CHECK(result.detail == "the connection's address is not allowed");
    CHECK(server.connections() == 0);
}

TEST_CASE("the guard is asked again when a connection is reused") {
    NameServer names;
    names.set("moving.test", {"127.0.0.1"}, 0);
    ScriptedServer server(answer_all);
    ClientFixture fixture("127.0.0.0/8", with_name_servers(names.as_option()));
    REQUIRE(fixture.post(request_to(server.url("moving.test"))).failure == Failure::none);
    const auto received = server.received();

    // The kept connection goes to the old address, the name now to one that is allowed.
    fixture.allow("127.0.0.2");
    names.set("moving.test", {"127.0.0.2"}, 0);
    Result result;
    REQUIRE(fixture.run_until([&] {
        result = fixture.post(request_to(server.url("moving.test")));
        return result.detail != "an address of moving.test is not allowed";  // what is still cached, for 1 s
    }));
    CHECK(result.failure == Failure::address_refused);
    CHECK(result.detail == "the connection's address is not allowed");
    CHECK_FALSE(result.first_byte_sent);
    CHECK(server.received() == received);
    CHECK(server.connections() == 1);

    CHECK(fixture.post(request_to(server.url("moving.test"))).failure == Failure::none);
    CHECK(server.connections() == 2);
}

TEST_CASE("a name that does not exist") {
    NameServer names;
    ClientFixture fixture("127.0.0.0/8", with_name_servers(names.as_option()));
    auto result = fixture.post(request_to("http://missing.test/"));
    CHECK(result.failure == Failure::name_unresolved);
    CHECK_THAT(result.detail, contains("missing.test: "));
    CHECK_FALSE(result.first_byte_sent);
    result = fixture.post(request_to("http://missing.test/"));
    CHECK(result.failure == Failure::name_unresolved);
    CHECK(names.queries() == 1);  // remembered
}

TEST_CASE("a name without an address") {
    NameServer names;
    names.set("empty.test", {});
    ClientFixture fixture("127.0.0.0/8", with_name_servers(names.as_option()));
    CHECK(fixture.post(request_to("http://empty.test/")).failure == Failure::name_unresolved);
}

TEST_CASE("a silent name server: the deadline holds, and others go on meanwhile") {
    NameServer names;
    names.set_silent("silent.test");
    ScriptedServer server(answer_all);
    ClientFixture fixture("127.0.0.0/8", with_name_servers(names.as_option()));
    auto request = request_to("http://silent.test/");
    request.timeout = 500ms;
    const auto silent = fixture.start(request);
    for (int i = 0; i < 20; ++i) CHECK(fixture.post(request_to(server.url())).failure == Failure::none);
    CHECK_FALSE(silent->ended());
    const auto result = fixture.finish(silent);
    CHECK(result.failure == Failure::timeout);
    CHECK(result.duration >= 500ms);
    CHECK(result.duration < 1500ms);
    CHECK_THAT(result.detail, contains("name was not resolved"));
}

TEST_CASE("a silent name server ends a lookup before a long deadline") {
    NameServer names;
    names.set_silent("silent.test");
    ClientFixture fixture("127.0.0.0/8", with_name_servers(names.as_option()));
    const auto result = fixture.post(request_to("http://silent.test/"));
    CHECK(result.failure == Failure::name_unresolved);
    CHECK(result.duration < 14s);
}

TEST_CASE("of several addresses the first that can be reached is used") {
    NameServer names;
    names.set("several.test", {"127.0.0.3", "127.0.0.1"});
    // Listens on all of 127.0.0.0/8; without a listener each address refuses.
    ScriptedServer server(answer_all);
    ClientFixture fixture("127.0.0.0/8", with_name_servers(names.as_option()));
    CHECK(fixture.post(request_to(server.url("several.test"))).failure == Failure::none);
    CHECK(server.connections() == 1);
}

TEST_CASE("of a thousand addresses the first 32 are taken, and vetted") {
    NameServer names;
    std::vector<std::string> addresses(1'000, "10.0.0.1");
    std::fill_n(addresses.begin(), addresses_per_name_limit, "127.0.0.1");
    names.set("many.test", addresses);
    addresses[addresses_per_name_limit - 1] = "10.0.0.1";
    names.set("mixed.test", addresses);
    names.set("refusing.test", std::vector<std::string>(1'000, "127.0.0.1"));
    ScriptedServer server(answer_all);
    std::string closed;
    {
        closed = ScriptedServer(answer_all).url("refusing.test");
    }
    auto options = with_name_servers(names.as_option());
    options.connect_timeout = 1s;
    ClientFixture fixture("127.0.0.0/8", options);
    CHECK(fixture.post(request_to(server.url("many.test"))).failure == Failure::none);
    CHECK(fixture.post(request_to(server.url("mixed.test"))).failure == Failure::address_refused);
    // libcurl 7.88 takes a second for each address that refuses: it may not come to the last.
    const auto refused = fixture.post(request_to(closed));
    CHECK((refused.failure == Failure::connect || refused.failure == Failure::timeout));
    CHECK(refused.duration < 4s);
}

TEST_CASE("a name server that fails leaves the name unresolved") {
    NameServer names;
    names.set_failing("failing.test");
    ClientFixture fixture("127.0.0.0/8", with_name_servers(names.as_option()));
    const auto result = fixture.post(request_to("http://failing.test/"));
    CHECK(result.failure == Failure::name_unresolved);
    CHECK(result.duration < 14s);
}

TEST_CASE("a name that points elsewhere with every answer is never followed to a refused address") {
    NameServer names;
    names.set("rebinding.test", {"127.0.0.1"}, 0);
    ScriptedServer server(answer_all);  // at 127.0.0.2 as well
    ClientFixture fixture("127.0.0.1/32", with_name_servers(names.as_option()));
    REQUIRE(fixture.post(request_to(server.url("rebinding.test"))).failure == Failure::none);
    names.set("rebinding.test", {"127.0.0.2"}, 0);
    Result result;
    REQUIRE(fixture.run_until([&] {  // the first answer is remembered for a second
        result = fixture.post(request_to(server.url("rebinding.test")));
        return result.failure != Failure::none;
    }));
    CHECK(result.failure == Failure::address_refused);
    CHECK_FALSE(result.first_byte_sent);
    CHECK(server.connections() == 1);
}

TEST_CASE("many names, one after the other and at once") {
    NameServer names;
    for (int i = 0; i < 40; ++i) names.set("n" + std::to_string(i) + ".test", {"127.0.0.1"});
    ScriptedServer server(answer_all);
    ClientFixture fixture("127.0.0.0/8", with_name_servers(names.as_option()));
    for (int round = 0; round < 3; ++round) {
        std::vector<std::shared_ptr<Started>> all;
        for (int i = 0; i < 40; ++i)
            all.push_back(fixture.start(request_to(server.url("n" + std::to_string(i) + ".test"))));
        for (const auto& started : all) CHECK(fixture.finish(started).failure == Failure::none);
    }
    CHECK(names.queries() == 40);
}

TEST_CASE("a name server that can't be parsed is an error at start") {
    CHECK_THROWS_AS(ClientFixture("127.0.0.0/8", with_name_servers({"not an address"})), std::runtime_error);
}
