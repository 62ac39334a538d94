#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <string>
#include <type_traits>
#include <vector>

#include "admin-api/access.hpp"
#include "admin-api/problems.hpp"
#include "store/deadlock.hpp"

namespace posthorn::admin {

// Runs the coroutine body(connection) in a transaction; after a deadlock once more, from its beginning. A
// unique violation becomes Problem 409: `taken` says what is taken.
template <class Body>
auto change(Context& context, std::string taken, Body body)
    -> std::invoke_result_t<Body&, store::Connection&> {
    auto connection = co_await context.pool.acquire();
    const auto transaction = [&] {
        return store::in_transaction(*connection, [&] { return body(*connection); });
    };
    try {
        co_return co_await store::again_after_deadlocks(transaction);
    } catch (const store::DatabaseError& error) {
        if (error.is(store::sqlstate::unique_violation)) throw conflict(taken);
        throw;
    }
}

// A row of the audit log, in the transaction of the change. The details hold no secrets.
boost::asio::awaitable<void> audit(store::Connection& connection, const Context& context,
                                   const Principal& principal, std::string action, std::string subject,
                                   boost::json::object details = {});

// The same of many changes by one request.
struct AuditedChange {
    std::string subject;
    boost::json::object details;
};
boost::asio::awaitable<void> audit_all(store::Connection& connection, const Context& context,
                                       const Principal& principal, std::string action,
                                       std::vector<AuditedChange> changes);

}  // namespace posthorn::admin
