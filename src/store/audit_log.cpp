#include "store/audit_log.hpp"

#include "base/uuid.hpp"
#include "store/queries.hpp"

namespace posthorn::store {

boost::asio::awaitable<std::vector<AuditRow>> list_audit_log(Pool& pool, OrganizationId organization,
                                                             IdRange range, AuditFilter filter) {
    const auto& statement = range.descending ? sql::list_audit_log_descending : sql::list_audit_log_ascending;
    const auto rows = co_await pool.exec(
        statement, Params::of(organization, range.near, range.far, range.limit, filter.actor, filter.action,
                              filter.subject, filter.application));
    std::vector<AuditRow> list;
    for (int row = 0; row < rows.size(); ++row)
        list.push_back({.id = rows.get<AuditEntryId>(row, 0),
                        .actor = rows.get<std::string>(row, 1),
                        .action = rows.get<std::string>(row, 2),
                        .subject = rows.get<std::string>(row, 3),
                        .details = rows.get<std::string>(row, 4),
                        .created_at = rows.get<SystemTime>(row, 5),
                        .request_id = rows.get<std::optional<std::string>>(row, 6)});
    co_return list;
}

boost::asio::awaitable<void> record_audit(Connection& connection, SystemTime now, AuditEntry entry) {
    std::vector<AuditEntry> entries;
    entries.push_back(std::move(entry));
    co_await record_audits(connection, now, std::move(entries));
}

boost::asio::awaitable<void> record_audits(Connection& connection, SystemTime now,
                                           std::vector<AuditEntry> entries) {
    std::vector<OrganizationId> organizations;
    std::vector<AuditEntryId> ids;
    std::vector<std::string> actors, actions, subjects, details;
    std::vector<std::optional<std::string>> requests;
    for (auto& entry : entries) {
        organizations.push_back(entry.organization);
        ids.push_back(AuditEntryId::make(now));
        actors.push_back(std::move(entry.actor));
        actions.push_back(std::move(entry.action));
        subjects.push_back(std::move(entry.subject));
        details.push_back(std::move(entry.details));
        requests.push_back(std::move(entry.request_id));
    }
    co_await connection.exec(sql::insert_audit_log,
                             Params::of(organizations, ids, actors, actions, subjects, requests, details));
}

}  // namespace posthorn::store
