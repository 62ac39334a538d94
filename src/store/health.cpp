#include "store/health.hpp"

#include "store/queries.hpp"

namespace posthorn::store {

boost::asio::awaitable<void> ping(Pool& pool) { co_await pool.exec(sql::ping); }

}  // namespace posthorn::store
