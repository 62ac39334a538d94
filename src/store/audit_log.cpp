#include "store/audit_log.hpp"

#include "base/uuid.hpp"
#include "store/queries.hpp"

namespace posthorn::store {

boost::asio::awaitable<void> record_audit(Connection& connection, SystemTime now, AuditEntry entry) {
    co_await connection.exec(sql::insert_audit_log,
                             Params::of(entry.organization, make_uuid_v7(now), entry.actor, entry.action,
                                        entry.subject, Json{entry.details}));
}

}  // namespace posthorn::store
