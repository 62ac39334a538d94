#include "egress/address_guard.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <optional>

#include "support/catch.hpp"
#include "support/name_server.hpp"

using namespace posthorn::egress;
using posthorn::egress::test::NameServer;
namespace asio = boost::asio;

namespace {

std::shared_ptr<AddressGuard> guard_with(std::string_view networks) {
    return std::make_shared<AddressGuard>(posthorn::domain::parse_networks(networks).value());
}

bool allows(std::string_view networks, const char* address) {
    return guard_with(networks)->allows(asio::ip::make_address(address));
}

HostCheck check(HostChecker& checker, asio::io_context& loop, std::string host) {
    std::optional<HostCheck> found;
    asio::co_spawn(loop, checker.check(std::move(host)), [&](std::exception_ptr error, HostCheck result) {
        if (error) std::rethrow_exception(error);
        found = result;
    });
    loop.restart();
    loop.run_for(std::chrono::seconds(20));
    REQUIRE(found);
    CHECK(loop.stopped());  // out of work
    return *found;
}

}  // namespace

TEST_CASE("public addresses and the operator's networks may be spoken to, no others") {
    CHECK(allows("", "8.8.8.8"));
    CHECK(allows("", "2606:4700::1111"));
    CHECK_FALSE(allows("", "127.0.0.1"));
    CHECK_FALSE(allows("", "10.1.2.3"));
    CHECK_FALSE(allows("", "169.254.169.254"));
    CHECK_FALSE(allows("", "::1"));
    CHECK_FALSE(allows("", "::ffff:10.1.2.3"));
    CHECK(allows("127.0.0.0/8,fd00::/8", "127.9.9.9"));
    CHECK(allows("127.0.0.0/8,fd00::/8", "::ffff:127.0.0.1"));
    CHECK(allows("127.0.0.0/8,fd00::/8", "fd12::1"));
    CHECK_FALSE(allows("127.0.0.0/8,fd00::/8", "10.1.2.3"));
    CHECK_FALSE(allows("127.0.0.0/8", "0.0.0.0"));
}

TEST_CASE("a host is checked as an address or by every address of its name") {
    NameServer names;
    names.set("public.test", {"8.8.8.8", "1.1.1.1"});
    names.set("private.test", {"192.168.0.1"});
    names.set("mixed.test", {"8.8.8.8", "192.168.0.1"});
    asio::io_context loop;
    HostChecker checker(loop.get_executor(), guard_with(""), names.as_option());
    CHECK(check(checker, loop, "8.8.8.8") == HostCheck::allowed);
    CHECK(check(checker, loop, "127.0.0.1") == HostCheck::refused);
    CHECK(check(checker, loop, "::1") == HostCheck::refused);
    CHECK(check(checker, loop, "public.test") == HostCheck::allowed);
    CHECK(check(checker, loop, "private.test") == HostCheck::refused);
    CHECK(check(checker, loop, "mixed.test") == HostCheck::refused);
    CHECK(check(checker, loop, "missing.test") == HostCheck::unresolved);
    CHECK(check(checker, loop, "localhost") == HostCheck::refused);
    CHECK(check(checker, loop, "public.test") == HostCheck::allowed);
    CHECK(names.queries() == 4);
}

TEST_CASE("a host whose name server is silent is unresolved after a while") {
    NameServer names;
    names.set_silent("silent.test");
    asio::io_context loop;
    HostChecker checker(loop.get_executor(), guard_with(""), names.as_option());
    CHECK(check(checker, loop, "silent.test") == HostCheck::unresolved);
}
