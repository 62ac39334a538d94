#pragma once
#include <boost/asio/ip/address.hpp>
#include <boost/system/result.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace posthorn::domain {

struct Network {
    boost::asio::ip::address address;  // of the network; host bits are zero
    unsigned prefix_bits = 0;

    bool contains(const boost::asio::ip::address& other) const;  // an IPv4-mapped IPv6 address counts as IPv4
};

// "127.0.0.0/8", "::1", "fd00::/8"; comma-separated. Error: std::errc::invalid_argument.
boost::system::result<std::vector<Network>> parse_networks(std::string_view text);

// False for loopback, private, link-local, CGNAT, multicast, documentation, benchmark, metadata, reserved,
// NAT64, 6to4 and Teredo addresses and whatever maps to one. Source: the IANA special-purpose registries (RFC
// 6890).
bool is_public(const boost::asio::ip::address& address);

}  // namespace posthorn::domain
