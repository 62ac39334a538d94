#pragma once
#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <vector>

#include "store/connection.hpp"

namespace posthorn::store {

struct EventType {
    EventTypeId id;
    std::string name;
    std::string description;
    bool archived = false;
    bool deprecated = false;
    std::optional<std::string> feature_flag;
    std::optional<std::string> schemas;     // a JSON object
    SystemTime created_at{}, updated_at{};  // set by the database
};

// Like Scan, for a list in the order of its names (bytewise).
struct NameScan {
    std::string beyond;
    bool descending = false;
    std::int64_t limit = 0;
};

struct EventTypeList {
    bool archived = false;  // with the archived ones
    bool schemas = false;   // with their schemas
};

// Expunged event types are not found; archived ones are.
boost::asio::awaitable<std::optional<EventType>> load_event_type(Pool& pool, OrganizationId organization,
                                                                 std::string name);
boost::asio::awaitable<std::vector<EventType>> list_event_types(Pool& pool, OrganizationId organization,
                                                                NameScan scan, EventTypeList what);

// Within a transaction. A name that is taken throws DatabaseError (unique violation of event_type_name).
boost::asio::awaitable<std::optional<EventType>> load_event_type_for_update(Connection& connection,
                                                                            OrganizationId organization,
                                                                            std::string name);
boost::asio::awaitable<EventType> insert_event_type(Connection& connection, OrganizationId organization,
                                                    EventType event_type);
// All but its name.
boost::asio::awaitable<std::optional<EventType>> update_event_type(Connection& connection,
                                                                   OrganizationId organization,
                                                                   EventType event_type);
boost::asio::awaitable<bool> expunge_event_type(Connection& connection, OrganizationId organization,
                                                std::string name);

}  // namespace posthorn::store
