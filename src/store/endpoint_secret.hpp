#pragma once
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <optional>
#include <string>

#include "store/connection.hpp"

namespace posthorn::store {

// Sealed by domain::SecretBox; opened by whoever signs or shows.
boost::asio::awaitable<std::optional<std::string>> load_current_secret(Pool& pool, EndpointId endpoint);

// Within a transaction that has the endpoint's row locked, together with record_endpoint_changes.
boost::asio::awaitable<std::optional<std::string>> load_current_secret(Connection& connection,
                                                                       EndpointId endpoint);
boost::asio::awaitable<void> insert_endpoint_secret(Connection& connection, EndpointId endpoint,
                                                    EndpointSecretId id, std::string sealed);
boost::asio::awaitable<void> remove_expired_secrets(Connection& connection, EndpointId endpoint);
boost::asio::awaitable<std::int64_t> count_old_secrets(Connection& connection, EndpointId endpoint);
// The operational webhook endpoint.secret.rotated.
boost::asio::awaitable<void> tell_of_secret_rotation(Connection& connection, EndpointId endpoint);
// The current one goes on signing for the grace period; with none it is removed at once.
boost::asio::awaitable<void> retire_current_secret(Connection& connection, EndpointId endpoint,
                                                   std::chrono::seconds grace_period);

}  // namespace posthorn::store
