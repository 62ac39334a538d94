#pragma once
#include <boost/asio/awaitable.hpp>

#include "store/connection.hpp"

namespace posthorn::store {

// A round trip to the database. Throws DatabaseError.
boost::asio::awaitable<void> ping(Pool& pool);

}  // namespace posthorn::store
