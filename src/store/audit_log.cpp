#include "store/audit_log.hpp"

#include "base/uuid.hpp"
#include "store/queries.hpp"

namespace posthorn::store {

boost::asio::awaitable<std::vector<AuditRow>> list_audit_log(Pool& pool, OrganizationId organization,
                                                             IdRange range, AuditFilter filter) {
    const auto& statement = range.descending ? sql::list_audit_log_descending : sql::list_audit_log_ascending;
    const auto rows =
        co_await pool.exec(statement, Params::of(organization, range.near, range.far, range.limit,
                                                 filter.actor, filter.action, filter.subject));
    std::vector<AuditRow> list;
    for (int row = 0; row < rows.size(); ++row)
        list.push_back({.id = rows.get<AuditEntryId>(row, 0),
                        .actor = rows.get<std::string>(row, 1),
                        .action = rows.get<std::string>(row, 2),
                        .subject = rows.get<std::string>(row, 3),
                        .details = rows.get<std::string>(row, 4),
                        .created_at = rows.get<SystemTime>(row, 5)});
    co_return list;
}

boost::asio::awaitable<void> record_audit(Connection& connection, SystemTime now, AuditEntry entry) {
    co_await connection.exec(sql::insert_audit_log,
                             Params::of(entry.organization, make_uuid_v7(now), entry.actor, entry.action,
                                        entry.subject, Json{entry.details}));
}

}  // namespace posthorn::store
