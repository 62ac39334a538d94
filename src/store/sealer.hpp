#pragma once
#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "base/id.hpp"
#include "store/connection.hpp"

namespace posthorn::store {

// A process that seals under a master key, or may at any time.
struct Sealer {
    ProcessId id;
    std::string host;
    std::string fingerprint;   // of the key: domain::SecretBox::fingerprint()
    std::int64_t counter = 0;  // stands still when the process does not run
};

// Enrolls the process, or moves its counter: once in lease.hpp's renewal_interval.
boost::asio::awaitable<void> renew_sealer(Connection& connection, Sealer sealer);
boost::asio::awaitable<void> remove_sealer(Connection& connection, ProcessId id);
boost::asio::awaitable<void> forget_sealers(Connection& connection);  // not seen for a day
boost::asio::awaitable<std::vector<Sealer>> list_sealers(Connection& connection);

}  // namespace posthorn::store
