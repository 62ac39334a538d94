#pragma once
#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/connection.hpp"
#include "store/scan.hpp"

namespace posthorn::store {

// Why an endpoint is disabled: by its owner, after an answer 410, or after nothing but failures for days.
namespace disabled_reason {
inline constexpr std::string_view manual = "manual";
inline constexpr std::string_view gone = "gone";
inline constexpr std::string_view failing = "failing";
}  // namespace disabled_reason

struct Endpoint {
    EndpointId id;
    std::optional<std::string> uid;
    std::string url;
    std::string description;
    std::optional<std::vector<std::string>> event_types;  // nothing: all
    std::optional<std::vector<std::string>> channels;     // nothing: all
    bool disabled = false;
    std::optional<std::string> disabled_reason;
    std::optional<std::int32_t> rate_limit;  // a second
    std::optional<std::string> headers;      // a sealed JSON object of texts
    std::string metadata = "{}";             // a JSON object
    bool http2 = false;
    bool ordered = false;
    std::optional<std::string> filter;                        // of payloads: a JSON object
    std::optional<std::vector<std::int32_t>> retry_schedule;  // seconds; nothing: the service's
    std::optional<std::int32_t> timeout_s;                    // nothing: the service's
    SystemTime created_at{}, updated_at{};                    // set by the database
};

// Deleted endpoints are not found.
boost::asio::awaitable<std::optional<EndpointId>> find_endpoint(Pool& pool, ApplicationId application,
                                                                EndpointId id);
boost::asio::awaitable<std::optional<EndpointId>> find_endpoint_by_uid(Pool& pool, ApplicationId application,
                                                                       std::string uid);
boost::asio::awaitable<std::optional<Endpoint>> load_endpoint(Pool& pool, ApplicationId application,
                                                              EndpointId id);
boost::asio::awaitable<std::vector<Endpoint>> list_endpoints(Pool& pool, ApplicationId application,
                                                             Scan scan);

// Within a transaction, together with record_endpoint_changes. A uid that is taken throws DatabaseError
// (unique violation of endpoint_uid).
boost::asio::awaitable<std::optional<Endpoint>> load_endpoint_for_update(Connection& connection,
                                                                         ApplicationId application,
                                                                         EndpointId id);
boost::asio::awaitable<Endpoint> insert_endpoint(Connection& connection, OrganizationId organization,
                                                 ApplicationId application, Endpoint endpoint);
boost::asio::awaitable<std::optional<Endpoint>> update_endpoint(Connection& connection,
                                                                ApplicationId application, Endpoint endpoint);
// Carries a change of `ordered` to the deliveries that wait.
boost::asio::awaitable<void> mark_deliveries_ordered(Connection& connection, ApplicationId application,
                                                     EndpointId id, bool ordered);
boost::asio::awaitable<bool> delete_endpoint(Connection& connection, ApplicationId application,
                                             EndpointId id);
boost::asio::awaitable<std::vector<EndpointId>> delete_endpoints_of_application(Connection& connection,
                                                                                ApplicationId application);
boost::asio::awaitable<std::vector<EndpointId>> list_endpoint_ids(Connection& connection,
                                                                  ApplicationId application);

}  // namespace posthorn::store
