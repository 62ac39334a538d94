// An endpoint's URL, and a list of networks after it. An accepted URL is normalised once and for all;
// libcurl, which will request it, sees the same scheme, host and port and no user; a host that the system
// would take for an address is known as that address, so that none gets past the guard in disguise.
#include <arpa/inet.h>
#include <curl/curl.h>
#include <fmt/format.h>
#include <memory>
#include <string>

#include "check.hpp"
#include "domain/address_rules.hpp"
#include "domain/endpoint_url.hpp"

using namespace posthorn;
using fuzz::require;
namespace ip = boost::asio::ip;

namespace {

// As curl_easy_setopt(CURLOPT_URL) reads it.
class CurlUrl {
public:
    explicit CurlUrl(const std::string& text) : url_(curl_url(), curl_url_cleanup) {
        require(curl_url_set(url_.get(), CURLUPART_URL, text.c_str(), 0) == CURLUE_OK,
                "libcurl takes the URL");
    }
    std::string part(CURLUPart part, unsigned flags = 0) const {
        char* text = nullptr;
        if (curl_url_get(url_.get(), part, &text, flags) != CURLUE_OK) return {};
        std::string copy(text);
        curl_free(text);
        return copy;
    }

private:
    std::unique_ptr<CURLU, void (*)(CURLU*)> url_;
};

std::string without_brackets(std::string host) {
    if (host.starts_with('[') && host.ends_with(']')) return host.substr(1, host.size() - 2);
    return host;
}

void check_as_curl_sees_it(const domain::EndpointUrl& url) {
    const CurlUrl seen(url.text);
    require(seen.part(CURLUPART_SCHEME) == (url.https ? "https" : "http"), "libcurl sees the same scheme");
    require(seen.part(CURLUPART_PORT, CURLU_DEFAULT_PORT) == fmt::to_string(url.port),
            "libcurl sees the same port");
    require(seen.part(CURLUPART_USER).empty() && seen.part(CURLUPART_PASSWORD).empty(),
            "libcurl sees no user");
    require(seen.part(CURLUPART_ZONEID).empty(), "libcurl sees no zone");
    require(seen.part(CURLUPART_FRAGMENT).empty(), "libcurl sees no fragment");
    const auto host = without_brackets(seen.part(CURLUPART_HOST));
    if (!url.literal) return require(host == url.host, "libcurl sees the same host");
    boost::system::error_code error;
    const auto address = ip::make_address(host, error);
    require(!error && (address == *url.literal), "libcurl sees the same address");
}

// What the C library would connect to without asking a name server.
void check_as_the_system_sees_it(const domain::EndpointUrl& url) {
    in_addr v4{};
    in6_addr v6{};
    const bool is_v4 = inet_aton(url.host.c_str(), &v4) != 0;
    const bool is_v6 = inet_pton(AF_INET6, url.host.c_str(), &v6) == 1;
    require((is_v4 || is_v6) == url.literal.has_value(),
            "what the system takes for an address is known as one");
    if (is_v4)
        require(url.literal->is_v4() && url.literal->to_v4().to_uint() == ntohl(v4.s_addr),
                "and as the same one");
}

void check_url(std::string_view text) {
    const auto parsed = domain::parse_endpoint_url(text);
    if (const auto* error = std::get_if<domain::UrlError>(&parsed))
        return require(!error->rule.empty(), "a refusal names the rule");
    const auto& url = std::get<domain::EndpointUrl>(parsed);
    require(std::all_of(url.text.begin(), url.text.end(), [](char c) { return c > ' ' && c < '\x7f'; }),
            "an accepted URL is visible ASCII");
    const auto again = domain::parse_endpoint_url(url.text);
    const auto* same = std::get_if<domain::EndpointUrl>(&again);
    require(same != nullptr && same->text == url.text && same->host == url.host && same->port == url.port &&
                same->https == url.https && same->literal == url.literal,
            "a normalised URL stays what it is");
    check_as_curl_sees_it(url);
    check_as_the_system_sees_it(url);
    // 127.0.0.0/8 in any spelling, and whatever maps to it.
    if (url.literal && url.literal->is_loopback())
        require(!domain::is_public(*url.literal), "loopback is not public");
}

void check_networks(std::string_view text) {
    const auto networks = domain::parse_networks(text);
    if (!networks) return;
    std::string printed;
    for (const auto& network : *networks) {
        require(network.contains(network.address), "a network holds its own address");
        printed += fmt::format("{}{}/{}", printed.empty() ? "" : ",", network.address.to_string(),
                               network.prefix_bits);
    }
    const auto again = domain::parse_networks(printed);
    require(again && again->size() == networks->size(), "printed networks are networks");
    for (std::size_t i = 0; i < networks->size(); ++i)
        require((*again)[i].address == (*networks)[i].address &&
                    (*again)[i].prefix_bits == (*networks)[i].prefix_bits,
                "and the same ones");
}

// An address of four bytes or sixteen: what maps to an IPv4 address is as public as that is.
void check_address(std::string_view bytes) {
    if (bytes.size() < 4) return;
    ip::address_v4::bytes_type v4;
    std::copy_n(bytes.begin(), v4.size(), v4.begin());
    const ip::address plain = ip::make_address_v4(v4);
    const ip::address mapped = ip::make_address_v6(ip::v4_mapped, plain.to_v4());
    require(domain::is_public(plain) == domain::is_public(mapped),
            "a mapped address is as public as the address");
    const auto all = domain::parse_networks("0.0.0.0/0,::/0");
    require(all->at(0).contains(plain) && all->at(0).contains(mapped) && !all->at(1).contains(mapped),
            "a mapped address counts as IPv4");
    if (plain.is_loopback() || plain.is_multicast() || plain.is_unspecified())
        require(!domain::is_public(plain), "loopback, multicast and no address are not public");
    if (bytes.size() < 16) return;
    ip::address_v6::bytes_type v6;
    std::copy_n(bytes.begin(), v6.size(), v6.begin());
    const auto address = ip::make_address_v6(v6);
    if (address.is_loopback() || address.is_link_local() || address.is_multicast() ||
        address.is_unspecified())
        require(!domain::is_public(address), "IPv6's are not either");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto rest = fuzz::text_of(data, size);
    check_url(fuzz::take_part(rest));
    check_networks(fuzz::take_part(rest));
    check_address(rest);
    return 0;
}
