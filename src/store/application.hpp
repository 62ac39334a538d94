#pragma once
#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/connection.hpp"
#include "store/scan.hpp"

namespace posthorn::store {

struct Application {
    ApplicationId id;
    std::optional<std::string> uid;
    std::string name;
    std::optional<std::int32_t> rate_limit;  // a second
    std::string metadata = "{}";             // a JSON object
    SystemTime created_at{}, updated_at{};   // set by the database
};

// Deleted applications are not found.
boost::asio::awaitable<std::optional<ApplicationId>> find_application(Pool& pool, OrganizationId organization,
                                                                      ApplicationId id);
boost::asio::awaitable<std::optional<ApplicationId>> find_application_by_uid(Pool& pool,
                                                                             OrganizationId organization,
                                                                             std::string uid);
// The application that holds the endpoints of the organization's operational webhooks: made where there is
// none yet. In no list; neither changed nor deleted.
inline constexpr std::string_view operational_uid = "operational-webhooks";
boost::asio::awaitable<ApplicationId> find_operational_application(Pool& pool, OrganizationId organization,
                                                                   SystemTime now);
boost::asio::awaitable<std::optional<Application>> load_application(Pool& pool, OrganizationId organization,
                                                                    ApplicationId id);
boost::asio::awaitable<std::vector<Application>> list_applications(Pool& pool, OrganizationId organization,
                                                                   Scan scan);

// Within a transaction. A uid that is taken throws DatabaseError (unique violation of application_uid).
boost::asio::awaitable<std::optional<Application>> load_application_for_update(Connection& connection,
                                                                               OrganizationId organization,
                                                                               ApplicationId id);
boost::asio::awaitable<Application> insert_application(Connection& connection, OrganizationId organization,
                                                       Application application);
boost::asio::awaitable<std::optional<Application>> update_application(Connection& connection,
                                                                      OrganizationId organization,
                                                                      Application application);
// False where there is none. Its endpoints are left alone: delete_endpoints_of_application.
boost::asio::awaitable<bool> delete_application(Connection& connection, OrganizationId organization,
                                                ApplicationId id);
// Keeps the application from being deleted until the end of the transaction; false where there is none.
boost::asio::awaitable<bool> lock_application(Connection& connection, OrganizationId organization,
                                              ApplicationId id);

}  // namespace posthorn::store
