#pragma once
#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/id.hpp"
#include "store/connection.hpp"

namespace posthorn::store {

// Which endpoints of an application are meant: the listed ones, or those that match.
struct EndpointChoice {
    std::vector<EndpointId> ids = {};
    std::vector<std::string> uids = {};
    bool by_filter = false;
    std::optional<std::string> event_type = {};  // as the endpoint names it
    std::optional<bool> disabled = {};
};

// What can be changed of many at once.
struct EndpointSwitches {
    EndpointId id;
    std::optional<std::string> uid;                                 // not changed
    std::optional<std::vector<std::string>> event_types, channels;  // nothing: all
    bool disabled = false;
    std::optional<std::string> disabled_reason;
    std::optional<std::int32_t> rate_limit;  // a second

    bool operator==(const EndpointSwitches&) const = default;
};

// Within a transaction, together with record_endpoint_changes.
boost::asio::awaitable<std::vector<EndpointSwitches>> lock_endpoints(Connection& connection,
                                                                     ApplicationId application,
                                                                     EndpointChoice choice,
                                                                     std::int64_t most);
boost::asio::awaitable<void> update_endpoints(Connection& connection, ApplicationId application,
                                              std::vector<EndpointSwitches> endpoints);

}  // namespace posthorn::store
