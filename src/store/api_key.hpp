#pragma once
#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/connection.hpp"
#include "store/scan.hpp"

namespace posthorn::store {

// What is known of an API key: the key itself is not stored, only its SHA-256.
struct ApiKey {
    ApiKeyId id;
    std::optional<ApplicationId> application;  // nothing: the whole organization
    std::string name;
    std::vector<std::string> scopes;
    SystemTime created_at{};  // set by the database
    std::optional<SystemTime> expires_at;
    OrganizationId organization;
};

// Revoked keys are not found; expired ones are.
boost::asio::awaitable<std::optional<ApiKey>> find_api_key(Pool& pool, std::string hash);
boost::asio::awaitable<std::optional<ApiKey>> load_api_key(Pool& pool, OrganizationId organization,
                                                           ApiKeyId id);
boost::asio::awaitable<std::vector<ApiKey>> list_api_keys(Pool& pool, OrganizationId organization, Scan scan);
boost::asio::awaitable<ApiKey> insert_api_key(Connection& connection, ApiKey key, std::string hash);
boost::asio::awaitable<bool> revoke_api_key(Connection& connection, OrganizationId organization, ApiKeyId id);

}  // namespace posthorn::store
