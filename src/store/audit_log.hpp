#pragma once
#include <boost/asio/awaitable.hpp>
#include <string>

#include "store/connection.hpp"

namespace posthorn::store {

struct AuditEntry {
    OrganizationId organization;
    std::string actor;           // "jwt", an API key's id, or "service": we ourselves
    std::string action;          // "<what>.<verb>", e.g. "endpoint.update"
    std::string subject;         // the id of what was changed
    std::string details = "{}";  // a JSON object, free of secrets
};

// In the transaction of the change that it tells of.
boost::asio::awaitable<void> record_audit(Connection& connection, SystemTime now, AuditEntry entry);

}  // namespace posthorn::store
