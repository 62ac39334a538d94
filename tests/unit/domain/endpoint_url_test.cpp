#include "domain/endpoint_url.hpp"

#include "support/catch.hpp"

using namespace posthorn::domain;
using boost::asio::ip::make_address;
using posthorn::test::contains;

namespace {
EndpointUrl url_of(std::string_view text) {
    CAPTURE(std::string(text));
    auto parsed = parse_endpoint_url(text);
    REQUIRE(std::holds_alternative<EndpointUrl>(parsed));
    return std::get<EndpointUrl>(parsed);
}

std::string rule_of(std::string_view text) {
    const auto parsed = parse_endpoint_url(text);
    const auto* error = std::get_if<UrlError>(&parsed);
    return error ? error->rule : "accepted: " + std::get<EndpointUrl>(parsed).text;
}
}  // namespace

TEST_CASE("a URL is taken apart") {
    const EndpointUrl url = url_of("https://hooks.example.com:8443/in/1?a=b&c=%20d");
    CHECK(url.text == "https://hooks.example.com:8443/in/1?a=b&c=%20d");
    CHECK(url.https);
    CHECK(url.host == "hooks.example.com");
    CHECK(url.port == 8443);
    CHECK_FALSE(url.literal.has_value());
}

TEST_CASE("a URL is normalised in scheme, host and port; path and query stay as given") {
    CHECK(url_of("HTTPS://Hooks.Example.COM./A/../%7Eb?Q=%c3%bc").text ==
          "https://hooks.example.com/A/../%7Eb?Q=%c3%bc");
    CHECK(url_of("http://a.example:80/").text == "http://a.example/");
    CHECK(url_of("https://a.example:443").text == "https://a.example/");
    CHECK(url_of("https://a.example:80").text == "https://a.example:80/");
    CHECK(url_of("http://a.example:/x").text == "http://a.example/x");
    CHECK(url_of("http://a.example:00080/").text == "http://a.example/");
    CHECK(url_of("http://a.example?x=1").text == "http://a.example/?x=1");
    CHECK(url_of("http://a.example/x#part?y").text == "http://a.example/x");
    CHECK(url_of("http://a.example#part").text == "http://a.example/");
    CHECK(url_of("http://xn--bcher-kva.example/").host == "xn--bcher-kva.example");
    CHECK(url_of("http://under_score.example/").host == "under_score.example");
    CHECK(url_of("http://localhost:9000/x").port == 9000);
}

TEST_CASE("a numeric host in any spelling is the address it stands for") {
    for (const char* host :
         {"127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "0x7f000001", "0X7F.1", "0x7f.0x0.0x0.0x1",
          "2130706433", "2130706433.", "0177.0.0.1", "017700000001", "0177.0x0.1", "00000177.1",
          "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:FFFF:127.0.0.1]"}) {
        CAPTURE(host);
        const EndpointUrl url = url_of("http://" + std::string(host) + ":81/x");
        REQUIRE(url.literal.has_value());
        CHECK(*url.literal == make_address("127.0.0.1"));
        CHECK(url.host == "127.0.0.1");
        CHECK(url.text == "http://127.0.0.1:81/x");
    }
    CHECK(*url_of("http://0/").literal == make_address("0.0.0.0"));
    CHECK(*url_of("http://0x/").literal == make_address("0.0.0.0"));
    CHECK(*url_of("http://4294967295/").literal == make_address("255.255.255.255"));
    CHECK(*url_of("http://1.2.65535/").literal == make_address("1.2.255.255"));
}

TEST_CASE("an IPv6 host is an address without its brackets") {
    const EndpointUrl url = url_of("https://[2001:DB8:0::1]:8443/x");
    CHECK(url.host == "2001:db8::1");
    CHECK(url.literal == make_address("2001:db8::1"));
    CHECK(url.port == 8443);
    CHECK(url.text == "https://[2001:db8::1]:8443/x");
    CHECK(url_of("http://[::1]").text == "http://[::1]/");
}

TEST_CASE("a host that ends in a number but is no IPv4 address is refused") {
    for (const char* host :
         {"256.0.0.1", "1.2.3.4.5", "1.2.3.256", "4294967296", "99999999999999999999", "08", "1.2.3.09",
          "0x100000000", "example.1", "foo.0x1", "1.2.65536", "1.256.1", "0xg.1", "a.b.c.d.5", "host.0x"}) {
        CAPTURE(host);
        CHECK_THAT(rule_of("http://" + std::string(host) + "/"), contains("not an IPv4 address"));
    }
    CHECK(url_of("http://1.example/").host == "1.example");
    CHECK(url_of("http://0xg/").host == "0xg");
    CHECK_FALSE(url_of("http://1e3/").literal.has_value());
}

TEST_CASE("only http and https are accepted") {
    for (const char* text : {"", "x", "example.com/hook", "//example.com/", "/hook", "ftp://example.com/",
                             "file:///etc/passwd", "http:example.com", "http:/example.com", "https",
                             "gopher://x/", "javascript:alert(1)", "httpx://example.com/", "://example.com"})
        CHECK_THAT(rule_of(text), contains("must begin with http:// or https://"));
}

TEST_CASE("a user name or password is refused") {
    for (const char* text :
         {"http://user@example.com/", "http://user:pass@example.com/", "http://@example.com/",
          "http://example.com@127.0.0.1/", "http://:@example.com/"})
        CHECK_THAT(rule_of(text), contains("user name or password"));
    CHECK(url_of("http://example.com/a@b?c@d").host == "example.com");
}

TEST_CASE("a host must be there and have no empty label") {
    for (const char* text : {"http://", "http:///", "http://:80/", "http://?x", "http://#x"})
        CHECK_THAT(rule_of(text), contains("must name a host"));
    for (const char* text :
         {"http://./", "http://../", "http://a..b/", "http://.a/", "http://a../", "http://127.0.0.1../"})
        CHECK_THAT(rule_of(text), contains("empty label"));
}

TEST_CASE("a port is a number from 1 to 65535") {
    CHECK(url_of("http://a.example:1/").port == 1);
    CHECK(url_of("http://a.example:65535/").port == 65535);
    for (const char* text :
         {"http://a.example:0/", "http://a.example:65536/", "http://a.example:99999999999/",
          "http://a.example:-1/", "http://a.example:+80/", "http://a.example:80x/", "http://a.example:8:0/",
          "http://[::1]:0/", "http://a.example:http/"})
        CHECK_THAT(rule_of(text), contains("port must be a number from 1 to 65535"));
}

TEST_CASE("spaces, control characters, backslashes and what is not ASCII are refused by name") {
    for (const char* text :
         {" http://a.example/", "http://a.example/ ", "http://a.example/a b", "http://a.example/\r\nHost: x",
          "http://a.example/\t", "http://a.exam\nple/", "http://a.example/\x7f"})
        CHECK_THAT(rule_of(text), contains("spaces or control characters"));
    CHECK_THAT(rule_of(std::string_view("http://a.example/\0x", 19)),
               contains("spaces or control characters"));
    for (const char* text : {"http://a.example\\@127.0.0.1/", "http:\\\\a.example/", "http://a.example/\\x"})
        CHECK_THAT(rule_of(text), contains("backslash"));
    for (const char* text :
         {"http://b\xc3\xbc"
          "cher.example/",
          "http://a.example/\xc3\xbc", "http://a.example/\xff", "http://\xef\xbc\x91\x32\x37.0.0.1/"})
        CHECK_THAT(rule_of(text), contains("must be ASCII"));
}

TEST_CASE("percent-encoded hosts and IPv6 zones are refused") {
    for (const char* text :
         {"http://%31%32%37.0.0.1/", "http://a%2eexample/", "http://a.example%00/", "http://%/"})
        CHECK_THAT(rule_of(text), contains("percent-encoded"));
    for (const char* text :
         {"http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[fe80::1%251]:80/"})
        CHECK_THAT(rule_of(text), contains("IPv6 zone"));
}

TEST_CASE("brackets hold an IPv6 address and nothing else") {
    for (const char* text : {"http://[]/", "http://[127.0.0.1]/", "http://[::g]/", "http://[v1.x]/",
                             "http://[1::2::3]/", "http://[::1/", "http://[::1]x/", "http://[::1]]/"})
        CHECK_THAT(rule_of(text), contains("bracket"));
    CHECK_THAT(rule_of("http://::1/"), contains("must name a host"));
}

TEST_CASE("a host consists of letters, digits, hyphens, underscores and dots") {
    for (const char* text : {"http://a!b/", "http://a,b/", "http://a;b/", "http://*.example/", "http://a'b/",
                             "http://a\"b/", "http://a|b/", "http://a<b/", "http://(a)/", "http://a=b/"})
        CHECK_THAT(rule_of(text), contains("letters, digits"));
}

TEST_CASE("path and query follow RFC 3986") {
    for (const char* text : {"http://a.example/%", "http://a.example/%2", "http://a.example/%zz",
                             "http://a.example/<x>", "http://a.example/?q=\"x\"", "http://a.example/{id}"})
        CHECK_THAT(rule_of(text), contains("RFC 3986"));
    CHECK(url_of("http://a.example/#a#b").text ==
          "http://a.example/");  // Boost.URL's releases disagree on it
}

TEST_CASE("a host has at most 2,048 characters, a URL 65,536") {
    const std::string longest_host(2'048, 'a');
    CHECK(url_of("http://" + longest_host + "/").host == longest_host);
    CHECK_THAT(rule_of("http://" + longest_host + "a/"), contains("2048"));
    const std::string start = "http://a.example/";
    const std::string longest = start + std::string(65'536 - start.size(), 'x');
    CHECK(url_of(longest).text == longest);
    CHECK_THAT(rule_of(longest + "x"), contains("65536"));
}

TEST_CASE("a normalised URL is its own normal form") {
    for (const char* text : {"HTTP://0x7f.1:080/a?b#c", "https://[::FFFF:8.8.8.8]/",
                             "https://[2001:DB8::1]:1?x", "http://EXAMPLE.com.:8080/%7e"}) {
        const EndpointUrl once = url_of(text);
        const EndpointUrl twice = url_of(once.text);
        CHECK(twice.text == once.text);
        CHECK(twice.host == once.host);
        CHECK(twice.literal == once.literal);
    }
}

TEST_CASE("the origin of a URL is its scheme, host and port, the port where it is not the scheme's") {
    CHECK(origin_of(url_of("HTTPS://Example.com.:443/path?key=k#f")) == "https://example.com");
    CHECK(origin_of(url_of("http://example.com:443/")) == "http://example.com:443");
    CHECK(origin_of(url_of("http://[2001:DB8::1]:81?x")) == "http://[2001:db8::1]:81");
    CHECK(origin_of(url_of("http://0x7f.1/")) == "http://127.0.0.1");
}
