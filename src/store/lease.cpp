#include "store/lease.hpp"

#include <map>

#include "store/queries.hpp"

namespace posthorn::store {

using boost::asio::awaitable;

namespace {

struct ShardColumns {
    std::vector<std::int16_t> shards;
    std::vector<std::int64_t> epochs;
    explicit ShardColumns(const std::vector<HeldShard>& held) {
        for (const auto& one : held) {
            shards.push_back(static_cast<std::int16_t>(one.shard));
            epochs.push_back(one.epoch);
        }
    }
};

}  // namespace

awaitable<void> register_process(Connection& connection, ProcessId id, bool worker, std::string host) {
    co_await connection.exec(sql::register_process, Params::of(id, worker, host));
}

awaitable<bool> renew_process(Connection& connection, ProcessId id) {
    const auto rows = co_await connection.exec(sql::renew_process, Params::of(id));
    co_return !rows.empty();
}

awaitable<void> unregister_process(Connection& connection, ProcessId id) {
    co_await connection.exec(sql::unregister_process, Params::of(id));
}

awaitable<std::vector<ProcessRow>> read_processes(Connection& connection) {
    const auto rows = co_await connection.exec(sql::read_processes);
    std::vector<ProcessRow> list;
    for (int row = 0; row < rows.size(); ++row)
        list.push_back({rows.get<ProcessId>(row, 0), rows.get<std::int64_t>(row, 1), rows.get<bool>(row, 2)});
    co_return list;
}

awaitable<std::vector<LeaseRow>> read_leases(Connection& connection) {
    const auto rows = co_await connection.exec(sql::read_leases);
    std::vector<LeaseRow> list;
    for (int row = 0; row < rows.size(); ++row)
        list.push_back({rows.get<std::int16_t>(row, 0), rows.get<std::int64_t>(row, 1),
                        rows.get<std::optional<ProcessId>>(row, 2)});
    co_return list;
}

awaitable<std::vector<HeldShard>> take_shards(Connection& connection, ProcessId id,
                                              std::vector<HeldShard> seen, std::vector<DeadOwner> dead) {
    const ShardColumns columns(seen);
    std::vector<ProcessId> owners;
    std::vector<std::int64_t> counters;
    for (const auto& owner : dead) {
        owners.push_back(owner.id);
        counters.push_back(owner.counter);
    }
    const auto rows = co_await connection.exec(
        sql::take_shards, Params::of(id, columns.shards, columns.epochs, owners, counters));
    std::vector<HeldShard> taken;
    for (int row = 0; row < rows.size(); ++row)
        taken.push_back({rows.get<std::int16_t>(row, 0), rows.get<std::int64_t>(row, 1)});
    co_return taken;
}

awaitable<void> forget_other_processes(Connection& connection, ProcessId id) {
    co_await connection.exec(sql::forget_other_processes, Params::of(id));
}

awaitable<void> release_shards(Connection& connection, ProcessId id, std::vector<HeldShard> held) {
    const ShardColumns columns(held);
    co_await connection.exec(sql::release_shards, Params::of(id, columns.shards, columns.epochs));
}

awaitable<SystemTime> database_time(Connection& connection) {
    const auto rows = co_await connection.exec(sql::database_time);
    co_return rows.get<SystemTime>(0, 0);
}

awaitable<std::vector<EndpointChange>> unacknowledged_changes(Connection& connection,
                                                              std::vector<HeldShard> held) {
    const ShardColumns columns(held);
    const auto rows =
        co_await connection.exec(sql::unacknowledged_changes, Params::of(columns.shards, columns.epochs));
    std::vector<EndpointChange> list;
    for (int row = 0; row < rows.size(); ++row)
        list.push_back(
            {rows.get<EndpointId>(row, 0), rows.get<std::int16_t>(row, 1), rows.get<std::int64_t>(row, 2)});
    co_return list;
}

awaitable<void> acknowledge_changes(Connection& connection, std::vector<EndpointChange> changes,
                                    std::vector<HeldShard> held) {
    std::map<int, std::int64_t> epochs;
    for (const auto& one : held) epochs[one.shard] = one.epoch;
    std::vector<EndpointId> ids;
    std::vector<std::int64_t> versions, at_epochs;
    for (const auto& change : changes) {
        const auto epoch = epochs.find(change.shard);
        if (epoch == epochs.end()) continue;
        ids.push_back(change.endpoint);
        versions.push_back(change.version);
        at_epochs.push_back(epoch->second);
    }
    if (!ids.empty())
        co_await connection.exec(sql::acknowledge_changes, Params::of(ids, versions, at_epochs));
}

}  // namespace posthorn::store
