#pragma once
#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace posthorn::domain {

// A subscriber's URL, taken apart and normalised: lowercase scheme and host, no trailing dot, IDNA names as
// given in ASCII only, numeric hosts in any spelling (octal, hex, short, one integer) as an address.
struct EndpointUrl {
    std::string text;  // normalised, what is requested
    bool https = false;
    std::string host;  // without brackets
    std::uint16_t port = 0;
    std::optional<boost::asio::ip::address> literal;  // set if the host is an address
};

// http and https only; no userinfo, no fragment kept, no control characters or spaces, at most 2,048
// characters of host and 65,536 in all. The error says which rule (for {"body","url"}).
struct UrlError {
    std::string rule;
};
std::variant<EndpointUrl, UrlError> parse_endpoint_url(std::string_view text);

// Scheme, host and port (RFC 6454), the port where it is not the scheme's own: "https://example.com:8443".
// This much of a URL may be written into a log: path and query can hold tokens.
std::string origin_of(const EndpointUrl& url);

}  // namespace posthorn::domain
