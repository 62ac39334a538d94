#include "store/sealer.hpp"

#include "store/queries.hpp"

namespace posthorn::store {

using boost::asio::awaitable;

awaitable<void> renew_sealer(Connection& connection, Sealer sealer) {
    co_await connection.exec(sql::renew_sealer, Params::of(sealer.id, sealer.host, sealer.fingerprint));
}

awaitable<void> remove_sealer(Connection& connection, ProcessId id) {
    co_await connection.exec(sql::remove_sealer, Params::of(id));
}

awaitable<void> forget_sealers(Connection& connection) { co_await connection.exec(sql::forget_sealers); }

awaitable<std::vector<Sealer>> list_sealers(Connection& connection) {
    const auto rows = co_await connection.exec(sql::list_sealers);
    std::vector<Sealer> sealers;
    for (int row = 0; row < rows.size(); ++row)
        sealers.push_back({rows.get<ProcessId>(row, 0), rows.get<std::string>(row, 1),
                           rows.get<std::string>(row, 2), rows.get<std::int64_t>(row, 3)});
    co_return sealers;
}

}  // namespace posthorn::store
