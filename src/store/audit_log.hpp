#pragma once
#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <vector>

#include "store/connection.hpp"
#include "store/id_range.hpp"

namespace posthorn::store {

struct AuditEntry {
    OrganizationId organization;
    std::string actor;           // "jwt", an API key's id, or "service": we ourselves
    std::string action;          // "<what>.<verb>", e.g. "endpoint.update"
    std::string subject;         // the id of what was changed
    std::string details = "{}";  // a JSON object, free of secrets
    std::optional<std::string> request_id = {};
};

// In the transaction of the change that it tells of.
boost::asio::awaitable<void> record_audit(Connection& connection, SystemTime now, AuditEntry entry);
boost::asio::awaitable<void> record_audits(Connection& connection, SystemTime now,
                                           std::vector<AuditEntry> entries);

struct AuditRow {
    AuditEntryId id;
    std::string actor, action, subject;
    std::string details;
    SystemTime created_at{};
    std::optional<std::string> request_id;
};

struct AuditFilter {
    std::optional<std::string> actor, action, subject;  // exactly
    std::optional<std::string> application;             // its id: what concerns it
};

boost::asio::awaitable<std::vector<AuditRow>> list_audit_log(Pool& pool, OrganizationId organization,
                                                             IdRange range, AuditFilter filter);

}  // namespace posthorn::store
