#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/address.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "domain/address_rules.hpp"

namespace posthorn::egress {

// Which addresses may be spoken to: domain::is_public, or inside one of the networks that the operator
// allows.
class AddressGuard {
public:
    explicit AddressGuard(std::vector<domain::Network> allowed) : allowed_(std::move(allowed)) {}
    bool allows(const boost::asio::ip::address& address) const;

private:
    std::vector<domain::Network> allowed_;
};

// For create, update and test of an endpoint: the URL's host as a literal, or every address that its name
// resolves to now (of many, those that an attempt would try).
enum class HostCheck { allowed, refused, unresolved };

// Resolves without blocking (c-ares), one instance a loop.
class HostChecker {
public:
    // name_servers as in ClientOptions.
    HostChecker(boost::asio::any_io_executor executor, std::shared_ptr<const AddressGuard> guard,
                const std::vector<std::string>& name_servers = {});
    ~HostChecker();
    // host as in domain::EndpointUrl. A name that isn't resolved within 5 s is unresolved.
    boost::asio::awaitable<HostCheck> check(std::string host);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace posthorn::egress
