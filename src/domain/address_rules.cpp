#include "domain/address_rules.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/address_v6.hpp>
#include <charconv>
#include <cstdint>
#include <optional>
#include <span>

namespace posthorn::domain {

namespace {
namespace ip = boost::asio::ip;

// The first 32 bits are enough: no IPv6 range here has a longer prefix.
struct Range {
    std::uint32_t first_bits;
    unsigned prefix_bits;

    constexpr bool contains(std::uint32_t bits) const {
        return ((first_bits ^ bits) >> (32 - prefix_bits)) == 0;
    }
};

constexpr std::array refused_v4{
    Range{0x00000000, 8},   // 0.0.0.0/8        this network
    Range{0x0A000000, 8},   // 10.0.0.0/8       private
    Range{0x64400000, 10},  // 100.64.0.0/10    carrier-grade NAT
    Range{0x7F000000, 8},   // 127.0.0.0/8      loopback
    Range{0xA9FE0000, 16},  // 169.254.0.0/16   link-local, cloud metadata
    Range{0xAC100000, 12},  // 172.16.0.0/12    private
    Range{0xC0000000, 24},  // 192.0.0.0/24     protocol assignments
    Range{0xC0000200, 24},  // 192.0.2.0/24     documentation
    Range{0xC0586300, 24},  // 192.88.99.0/24   6to4 relays
    Range{0xC0A80000, 16},  // 192.168.0.0/16   private
    Range{0xC6120000, 15},  // 198.18.0.0/15    benchmarks
    Range{0xC6336400, 24},  // 198.51.100.0/24  documentation
    Range{0xCB007100, 24},  // 203.0.113.0/24   documentation
    Range{0xE0000000, 4},   // 224.0.0.0/4      multicast
    Range{0xF0000000, 4},   // 240.0.0.0/4      reserved, broadcast
};

// Loopback, link-local, unique local, multicast and NAT64 (64:ff9b::/96, 64:ff9b:1::/48) lie outside of it.
constexpr Range global_unicast_v6{0x20000000, 3};  // 2000::/3
constexpr std::array refused_v6{
    Range{0x20010000, 23},  // 2001::/23      protocol assignments, Teredo among them
    Range{0x20010DB8, 32},  // 2001:db8::/32  documentation
    Range{0x20020000, 16},  // 2002::/16      6to4: maps to IPv4
    Range{0x3FFF0000, 20},  // 3fff::/20      documentation
};

bool is_in(std::span<const Range> ranges, std::uint32_t bits) {
    return std::any_of(ranges.begin(), ranges.end(),
                       [&](const Range& range) { return range.contains(bits); });
}

ip::address unmapped(const ip::address& address) {
    if (address.is_v6() && address.to_v6().is_v4_mapped())
        return ip::make_address_v4(ip::v4_mapped, address.to_v6());
    return address;
}

template <class Bytes>
void clear_host_bits(Bytes& bytes, unsigned prefix_bits) {
    for (auto& byte : bytes) {
        const unsigned network_bits = std::min(prefix_bits, 8u);
        byte = static_cast<std::uint8_t>(byte & (0xFF00u >> network_bits));
        prefix_bits -= network_bits;
    }
}

ip::address network_address(const ip::address& address, unsigned prefix_bits) {
    if (address.is_v4()) {
        auto bytes = address.to_v4().to_bytes();
        clear_host_bits(bytes, prefix_bits);
        return ip::address_v4(bytes);
    }
    auto bytes = address.to_v6().to_bytes();
    clear_host_bits(bytes, prefix_bits);
    return ip::address_v6(bytes);
}

std::optional<Network> parse_network(std::string_view text) {
    const auto slash = text.find('/');
    const std::string host(text.substr(0, slash));
    if (host.find('%') != std::string::npos) return std::nullopt;  // a zone names an interface, not a network
    boost::system::error_code error;
    ip::address address = ip::make_address(host, error);
    if (error) return std::nullopt;
    const unsigned longest = address.is_v4() ? 32 : 128;
    unsigned bits = longest;
    if (slash != std::string_view::npos) {
        const std::string_view digits = text.substr(slash + 1);
        const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
        if (failure != std::errc{} || end != digits.data() + digits.size() || bits > longest)
            return std::nullopt;
    }
    constexpr unsigned mapped_prefix_bits = 96;
    if (const ip::address inner = unmapped(address); inner != address && bits >= mapped_prefix_bits) {
        address = inner;
        bits -= mapped_prefix_bits;
    }
    return Network{network_address(address, bits), bits};
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}
}  // namespace

bool Network::contains(const boost::asio::ip::address& other) const {
    const ip::address candidate = unmapped(other);
    return candidate.is_v4() == address.is_v4() && network_address(candidate, prefix_bits) == address;
}

boost::system::result<std::vector<Network>> parse_networks(std::string_view text) {
    std::vector<Network> networks;
    if (trim(text).empty()) return networks;
    while (true) {
        const auto comma = text.find(',');
        const auto network = parse_network(trim(text.substr(0, comma)));
        if (!network) return make_error_code(boost::system::errc::invalid_argument);
        networks.push_back(*network);
        if (comma == std::string_view::npos) return networks;
        text.remove_prefix(comma + 1);
    }
}

bool is_public(const boost::asio::ip::address& address) {
    const ip::address bare = unmapped(address);
    if (bare.is_v4()) return !is_in(refused_v4, bare.to_v4().to_uint());
    const auto bytes = bare.to_v6().to_bytes();
    const std::uint32_t bits = static_cast<std::uint32_t>(bytes[0]) << 24 |
                               static_cast<std::uint32_t>(bytes[1]) << 16 |
                               static_cast<std::uint32_t>(bytes[2]) << 8 | bytes[3];
    return global_unicast_v6.contains(bits) && !is_in(refused_v6, bits);
}

}  // namespace posthorn::domain
