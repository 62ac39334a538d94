#include "domain/address_rules.hpp"

#include "support/catch.hpp"

using namespace posthorn::domain;
using boost::asio::ip::make_address;

namespace {
bool is_public_text(const char* text) { return is_public(make_address(text)); }
Network network(const char* text) { return parse_networks(text).value().at(0); }
}  // namespace

TEST_CASE(
    "each refused IPv4 range is refused from its first to its last address, and its neighbours are not") {
    struct Range {
        const char *before, *first, *last, *after;  // nullptr: the neighbour is refused too, or there is none
    };
    const Range ranges[] = {
        {nullptr, "0.0.0.0", "0.255.255.255", "1.0.0.0"},
        {"9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"},
        {"100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"},
        {"126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"},
        {"169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"},
        {"172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"},
        {"191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"},
        {"192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"},
        {"192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"},
        {"192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"},
        {"198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"},
        {"198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"},
        {"203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"},
        {"223.255.255.255", "224.0.0.0", "239.255.255.255", nullptr},
        {nullptr, "240.0.0.0", "255.255.255.255", nullptr},
    };
    for (const auto& range : ranges) {
        CAPTURE(range.first);
        CHECK_FALSE(is_public_text(range.first));
        CHECK_FALSE(is_public_text(range.last));
        if (range.before) CHECK(is_public_text(range.before));
        if (range.after) CHECK(is_public_text(range.after));
    }
}

TEST_CASE("the addresses that attackers ask for are refused") {
    for (const char* text :
         {"127.0.0.1", "169.254.169.254", "100.100.100.200", "192.168.1.1", "0.0.0.0", "::", "::1"})
        CHECK_FALSE(is_public_text(text));
}

TEST_CASE("of IPv6 only global unicast is public, less its special ranges") {
    for (const char* text :
         {"2001:200::1", "2606:4700:4700::1111", "2001:db7:ffff::1", "2001:db9::1", "2003::1", "2001:ffff::1",
          "3ffe::1", "3fff:1000::1", "3fff:ffff::1", "2a00::1"}) {
        CAPTURE(text);
        CHECK(is_public_text(text));
    }
    for (const char* text : {"::",           "::1",
                             "::7f00:1",     "::8.8.8.8",
                             "100::1",       "64:ff9b::808:808",
                             "64:ff9b:1::1", "1fff:ffff::1",
                             "2001::1",      "2001:0:4136:e378::1",
                             "2001:20::1",   "2001:1ff:ffff::1",
                             "2001:db8::1",  "2001:db8:ffff::1",
                             "2002::1",      "2002:808:808::1",
                             "2002:ffff::1", "3fff::1",
                             "3fff:fff::1",  "4000::1",
                             "5f00::1",      "fc00::1",
                             "fd12::1",      "fe80::1",
                             "fec0::1",      "ff02::1",
                             "ffff::1"}) {
        CAPTURE(text);
        CHECK_FALSE(is_public_text(text));
    }
}

TEST_CASE("an IPv4-mapped address is judged as the IPv4 address that it is") {
    CHECK(is_public_text("::ffff:8.8.8.8"));
    for (const char* text : {"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:0"})
        CHECK_FALSE(is_public_text(text));
}

TEST_CASE("networks are read from a list with commas; a lone address is a network of one") {
    const auto networks = parse_networks(" 127.0.0.0/8 , ::1,fd00::/8,10.1.2.3").value();
    REQUIRE(networks.size() == 4);
    CHECK(networks[0].prefix_bits == 8);
    CHECK(networks[1].prefix_bits == 128);
    CHECK(networks[1].address == make_address("::1"));
    CHECK(networks[2].prefix_bits == 8);
    CHECK(networks[3].prefix_bits == 32);
    CHECK(parse_networks("").value().empty());
    CHECK(parse_networks("  ").value().empty());
}

TEST_CASE("a network's host bits are cleared") {
    CHECK(network("127.0.0.1/8").address == make_address("127.0.0.0"));
    CHECK(network("172.31.5.6/12").address == make_address("172.16.0.0"));
    CHECK(network("fd12:3456::1/8").address == make_address("fd00::"));
    CHECK(network("2001:dbf::1/29").address == make_address("2001:db8::"));
}

TEST_CASE("what is no network is refused") {
    for (const char* text : {",", "127.0.0.0/8,", "127.0.0.0/33", "::1/129", "127.0.0.0/", "127.0.0.0/-1",
                             "127.0.0.0/+8", "127.0.0.0/8/8", "127.0.0.0/8x", "127.1/8", "localhost",
                             "fe80::1%1", "127.0.0.0 /8", "[::1]", "127.0.0.0/4294967304"}) {
        CAPTURE(text);
        CHECK(parse_networks(text).has_error());
    }
}

TEST_CASE("a network contains its addresses alone, mapped ones too") {
    const Network local = network("127.0.0.0/8");
    CHECK(local.contains(make_address("127.0.0.1")));
    CHECK(local.contains(make_address("127.255.255.255")));
    CHECK(local.contains(make_address("::ffff:127.0.0.1")));
    CHECK_FALSE(local.contains(make_address("128.0.0.1")));
    CHECK_FALSE(local.contains(make_address("::1")));
    const Network odd = network("10.1.2.128/25");
    CHECK(odd.contains(make_address("10.1.2.200")));
    CHECK_FALSE(odd.contains(make_address("10.1.2.127")));
    const Network unique_local = network("fd00::/8");
    CHECK(unique_local.contains(make_address("fdff::1")));
    CHECK_FALSE(unique_local.contains(make_address("fc00::1")));
}

TEST_CASE("a network of no bits contains its whole family and not the other") {
    CHECK(network("0.0.0.0/0").contains(make_address("8.8.8.8")));
    CHECK_FALSE(network("0.0.0.0/0").contains(make_address("::1")));
    CHECK(network("::/0").contains(make_address("2606::1")));
    CHECK_FALSE(network("::/0").contains(make_address("::ffff:8.8.8.8")));
}

TEST_CASE("a network written as IPv4-mapped is the IPv4 network") {
    const Network mapped = network("::ffff:10.0.0.0/104");
    CHECK(mapped.prefix_bits == 8);
    CHECK(mapped.contains(make_address("10.9.9.9")));
    CHECK(network("::ffff:10.0.0.1").prefix_bits == 32);
}
