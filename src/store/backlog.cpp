#include "store/backlog.hpp"

#include "store/queries.hpp"

namespace posthorn::store {

boost::asio::awaitable<void> watch_backlogs(Pool& pool, std::vector<std::int16_t> shards,
                                            std::int64_t threshold) {
    co_await pool.exec(sql::watch_backlogs, Params::of(shards, threshold));
}

}  // namespace posthorn::store
