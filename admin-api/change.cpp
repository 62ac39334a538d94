#include "admin-api/change.hpp"

#include <boost/json.hpp>

#include "store/audit_log.hpp"

namespace posthorn::admin {

boost::asio::awaitable<void> audit(store::Connection& connection, const Context& context,
                                   const Principal& principal, std::string action, std::string subject,
                                   boost::json::object details) {
    std::vector<AuditedChange> changes;
    changes.push_back({std::move(subject), std::move(details)});
    co_await audit_all(connection, context, principal, std::move(action), std::move(changes));
}

boost::asio::awaitable<void> audit_all(store::Connection& connection, const Context& context,
                                       const Principal& principal, std::string action,
                                       std::vector<AuditedChange> changes) {
    std::vector<store::AuditEntry> entries;
    for (auto& change : changes)
        entries.push_back({principal.organization, principal.actor, action, std::move(change.subject),
                           boost::json::serialize(change.details), principal.request_id});
    co_await store::record_audits(connection, context.clock.system_now(), std::move(entries));
}

}  // namespace posthorn::admin
