#include "domain/endpoint_url.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/address_v6.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>
#include <fmt/format.h>
#include <optional>
#include <vector>

namespace posthorn::domain {

namespace {
namespace ip = boost::asio::ip;

constexpr std::size_t longest_url = 65'536;
constexpr std::size_t longest_host = 2'048;
constexpr std::string_view scheme_separator = "://";

struct Host {
    std::string name;                    // normalised, without brackets
    std::optional<ip::address> literal;  // set if it is an address
};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lowered(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(), lower);
    return result;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_host_character(char c) {
    return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_' || c == '.';
}
bool is_control_or_space(char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F; }
bool is_not_ascii(char c) { return static_cast<unsigned char>(c) > 0x7F; }

std::vector<std::string_view> split_labels(std::string_view host) {
    std::vector<std::string_view> labels;
    while (true) {
        const auto dot = host.find('.');
        labels.push_back(host.substr(0, dot));
        if (dot == std::string_view::npos) return labels;
        host.remove_prefix(dot + 1);
    }
}

// One part of a numeric host: decimal, 0x hexadecimal or 0 octal; "0x" alone is 0 (WHATWG URL, IPv4 number
// parser). What exceeds 32 bits is still a number, only too large.
std::optional<std::uint64_t> parse_ipv4_number(std::string_view text) {
    if (text.empty()) return std::nullopt;
    int base = 10;
    if (text.starts_with("0x")) {
        text.remove_prefix(2);
        base = 16;
    } else if (text.size() > 1 && text[0] == '0') {
        text.remove_prefix(1);
        base = 8;
    }
    if (text.empty()) return 0;
    constexpr std::uint64_t too_large = std::uint64_t{1} << 32;
    std::uint64_t value = 0;
    const char* const text_end = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), text_end, value, base);
    if (end != text_end || error == std::errc::invalid_argument) return std::nullopt;
    return error == std::errc::result_out_of_range ? too_large : std::min(value, too_large);
}

// True where the host has to be an IPv4 address and nothing else (WHATWG URL, ends-in-a-number checker).
bool ends_in_a_number(const std::vector<std::string_view>& labels) {
    const std::string_view last = labels.back();
    const bool all_digits = !last.empty() && std::all_of(last.begin(), last.end(), is_digit);
    return all_digits || (last.starts_with("0x") && parse_ipv4_number(last));
}

// The last part fills the bytes that are left: "127.1" is 127.0.0.1 (WHATWG URL, IPv4 parser).
std::optional<ip::address> parse_ipv4(const std::vector<std::string_view>& labels) {
    if (labels.size() > 4) return std::nullopt;
    std::uint64_t address = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const bool is_last = i + 1 == labels.size();
        const unsigned bits = is_last ? static_cast<unsigned>(8 * (4 - i)) : 8;
        const auto number = parse_ipv4_number(labels[i]);
        if (!number || *number >= std::uint64_t{1} << bits) return std::nullopt;
        address = address << bits | *number;
    }
    return ip::address_v4(static_cast<std::uint32_t>(address));
}

std::variant<Host, UrlError> parse_bracketed(std::string_view host) {
    if (host.find('%') != std::string_view::npos) return UrlError{"the URL must not contain an IPv6 zone"};
    if (!host.ends_with(']')) return UrlError{"the URL has a bracket in its host that is not closed"};
    boost::system::error_code error;
    const auto v6 = ip::make_address_v6(std::string(host.substr(1, host.size() - 2)), error);
    if (error) return UrlError{"the URL's host in brackets must be an IPv6 address"};
    const ip::address address = v6.is_v4_mapped() ? ip::address(ip::make_address_v4(ip::v4_mapped, v6)) : v6;
    return Host{address.to_string(), address};
}

std::variant<Host, UrlError> parse_host(std::string_view given) {
    if (given.empty()) return UrlError{"the URL must name a host"};
    if (given.size() > longest_host)
        return UrlError{fmt::format("the URL's host must not be longer than {} characters", longest_host)};
    if (given.front() == '[') return parse_bracketed(given);
    if (given.find('%') != std::string_view::npos)
        return UrlError{"the URL's host must not contain percent-encoded characters"};

    std::string name = lowered(given);
    if (name.ends_with('.')) name.pop_back();
    if (!std::all_of(name.begin(), name.end(), is_host_character))
        return UrlError{"the URL's host must consist of letters, digits, hyphens, underscores and dots"};
    const auto labels = split_labels(name);
    if (std::any_of(labels.begin(), labels.end(), [](std::string_view label) { return label.empty(); }))
        return UrlError{"the URL's host must not have an empty label"};
    if (!ends_in_a_number(labels)) return Host{std::move(name), std::nullopt};
    const auto address = parse_ipv4(labels);
    if (!address) return UrlError{"the URL's host ends in a number but is not an IPv4 address"};
    return Host{address->to_string(), address};
}

constexpr std::uint16_t default_port(bool https) { return https ? 443 : 80; }

std::optional<std::uint16_t> parse_port(std::string_view digits, bool https) {
    if (digits.empty()) return default_port(https);
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc{} || end != digits.data() + digits.size() || port == 0) return std::nullopt;
    return port;
}

std::optional<UrlError> check_characters(std::string_view text) {
    if (text.size() > longest_url)
        return UrlError{fmt::format("the URL must not be longer than {} characters", longest_url)};
    if (std::any_of(text.begin(), text.end(), is_control_or_space))
        return UrlError{"the URL must not contain spaces or control characters"};
    if (std::any_of(text.begin(), text.end(), is_not_ascii))
        return UrlError{"the URL must be ASCII: write its host as punycode and percent-encode the rest"};
    if (text.find('\\') != std::string_view::npos) return UrlError{"the URL must not contain a backslash"};
    return std::nullopt;
}

// The authority without its port, and the port's digits, from "host:port"; colons inside brackets are no
// separator.
struct Authority {
    std::string_view host, port;
};

Authority split_authority(std::string_view authority) {
    const auto bracket = authority.rfind(']');
    const auto colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
    if (colon == std::string_view::npos) return {authority, {}};
    return {authority.substr(0, colon), authority.substr(colon + 1)};
}

// Path and query as given, at least "/": rewriting them would change what the subscriber sees.
std::string assemble(const EndpointUrl& url, std::string_view target) {
    return fmt::format("{}{}{}", origin_of(url), target.starts_with('/') ? "" : "/", target);
}
}  // namespace

std::variant<EndpointUrl, UrlError> parse_endpoint_url(std::string_view text) {
    if (auto error = check_characters(text)) return *std::move(error);
    const auto scheme_end = text.find(scheme_separator);
    const std::string scheme = lowered(text.substr(0, scheme_end));
    if (scheme_end == std::string_view::npos || (scheme != "http" && scheme != "https"))
        return UrlError{"the URL must begin with http:// or https://"};

    const auto authority_begin = scheme_end + scheme_separator.size();
    const auto authority_end = std::min(text.find_first_of("/?#", authority_begin), text.size());
    const std::string_view authority = text.substr(authority_begin, authority_end - authority_begin);
    if (authority.find('@') != std::string_view::npos)
        return UrlError{"the URL must not contain a user name or password"};
    const auto [given_host, digits] = split_authority(authority);
    auto host = parse_host(given_host);
    if (auto* error = std::get_if<UrlError>(&host)) return std::move(*error);

    EndpointUrl url;
    url.https = scheme == "https";
    const auto port = parse_port(digits, url.https);
    if (!port) return UrlError{"the URL's port must be a number from 1 to 65535"};
    const auto without_fragment = text.substr(0, text.find('#'));  // which is never sent, whatever it holds
    if (!boost::urls::parse_uri(without_fragment))
        return UrlError{
            "the URL has a character that must be percent-encoded, or a broken percent-encoding (RFC 3986)"};

    url.host = std::move(std::get<Host>(host).name);
    url.literal = std::get<Host>(host).literal;
    url.port = *port;
    url.text = assemble(url, without_fragment.substr(authority_end));
    return url;
}

std::string origin_of(const EndpointUrl& url) {
    const std::string port = url.port == default_port(url.https) ? "" : fmt::format(":{}", url.port);
    const bool brackets = url.literal && url.literal->is_v6();
    return fmt::format("{}://{}{}{}{}", url.https ? "https" : "http", brackets ? "[" : "", url.host,
                       brackets ? "]" : "", port);
}

}  // namespace posthorn::domain
