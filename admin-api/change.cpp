#include "admin-api/change.hpp"

#include <boost/json.hpp>

#include "store/audit_log.hpp"

namespace posthorn::admin {

boost::asio::awaitable<void> audit(store::Connection& connection, const Context& context,
                                   const Principal& principal, std::string action, std::string subject,
                                   boost::json::object details) {
    co_await store::record_audit(connection, context.clock.system_now(),
                                 {principal.organization, principal.actor, std::move(action),
                                  std::move(subject), boost::json::serialize(details)});
}

}  // namespace posthorn::admin
