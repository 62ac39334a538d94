#pragma once
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <map>
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
    bool enforce_schema = false;            // in force while it is not archived
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

// All of an organization, locked until the transaction ends.
struct EventTypeName {
    EventTypeId id;
    std::string name;
    bool archived = false;
};
boost::asio::awaitable<std::vector<EventTypeName>> lock_event_types(Connection& connection,
                                                                    OrganizationId organization);
boost::asio::awaitable<void> archive_event_types(Connection& connection, OrganizationId organization,
                                                 std::vector<EventTypeId> event_types);

// Those of the named event types that enforce a schema now, with its revision: a number that stands for this
// very schema and is never used again.
boost::asio::awaitable<std::map<std::string, std::int64_t>> list_enforced_event_types(
    Pool& pool, OrganizationId organization, std::vector<std::string> names);
struct EnforcedSchemas {
    std::int64_t revision = 0;
    std::string schemas;  // a JSON object; the newest is the enforced one
};
boost::asio::awaitable<std::optional<EnforcedSchemas>> load_enforced_schemas(Pool& pool,
                                                                             OrganizationId organization,
                                                                             std::string name);

}  // namespace posthorn::store
