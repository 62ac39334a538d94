#pragma once
#include <boost/asio/awaitable.hpp>
#include <stdexcept>

#include "store/connection.hpp"

namespace posthorn::store {

// The database's schema is newer than this program: an older binary must not touch it.
class SchemaTooNew : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Brings the schema up to this program's, each migration in a transaction of its own, under an advisory lock:
// whichever process comes first does the work and the others wait. Returns how many were applied. Throws
// SchemaTooNew, DatabaseError; and std::runtime_error for a server older than PostgreSQL 14.
boost::asio::awaitable<int> migrate(Connection& connection);

}  // namespace posthorn::store
