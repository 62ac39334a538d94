#include "store/retention.hpp"

#include <algorithm>

#include "store/queries.hpp"

namespace posthorn::store {

using boost::asio::awaitable;
using std::chrono::seconds;

namespace {
constexpr std::chrono::milliseconds longest_wait_for_a_table{2'000};
constexpr std::int64_t rows_a_batch = 1'000;
constexpr std::chrono::minutes endpoint_changes_are_kept{10};
constexpr std::chrono::days processes_are_kept{1};

std::int64_t count(seconds time) { return time.count(); }

awaitable<void> make_partitions(Connection& connection, seconds behind) {
    co_await connection.exec(sql::make_partitions, Params::of(count(behind), count(partitions_ahead)));
}

// A batch is a transaction: no lock is held for long, and an interruption loses little.
template <class... Leading>
awaitable<std::int64_t> delete_in_batches(Connection& connection, const Statement& statement,
                                          Leading... leading) {
    std::int64_t deleted = 0;
    while (true) {
        const auto rows = co_await connection.exec(statement, Params::of(leading..., rows_a_batch));
        deleted += rows.affected();
        if (rows.affected() < rows_a_batch) co_return deleted;
    }
}

awaitable<bool> drop_partition(Connection& connection, std::string parent, std::string child) {
    try {
        const auto rows = co_await connection.exec(
            sql::drop_partition,
            Params::of(parent, child, static_cast<std::int64_t>(longest_wait_for_a_table.count())));
        co_return rows.get<bool>(0, 0);
    } catch (const DatabaseError& error) {
        if (!error.is(sqlstate::lock_not_available)) throw;
        co_return false;
    }
}

awaitable<void> drop_old_partitions(Connection& connection, seconds retention, RetentionReport& report) {
    const auto old = co_await connection.exec(sql::list_old_partitions, Params::of(count(retention)));
    for (int row = 0; row < old.size(); ++row) {
        auto name = old.get<std::string>(row, 1);
        const bool dropped = co_await drop_partition(connection, old.get<std::string>(row, 0), name);
        (dropped ? report.dropped : report.kept).push_back(std::move(name));
    }
}

// Dead letters go before partitions: they hold them.
awaitable<RetentionReport> apply(Connection& connection, seconds retention) {
    RetentionReport report;
    co_await make_partitions(connection, std::min<seconds>(partitions_behind, retention));
    report.dead_letters =
        co_await delete_in_batches(connection, sql::delete_old_dead_letters, count(retention));
    co_await drop_old_partitions(connection, retention, report);
    report.idempotency_keys = co_await delete_in_batches(connection, sql::delete_expired_idempotency_keys);
    co_await connection.exec(sql::delete_old_endpoint_changes, Params::of(count(endpoint_changes_are_kept)));
    co_await connection.exec(sql::delete_old_processes, Params::of(count(processes_are_kept)));
    const auto jobs = co_await connection.exec(sql::delete_old_replay_jobs, Params::of(count(retention)));
    report.replay_jobs = jobs.affected();
    co_return report;
}
}  // namespace

awaitable<void> ensure_partitions(Connection& connection) {
    co_await make_partitions(connection, partitions_behind);
}

awaitable<std::optional<RetentionReport>> apply_retention(Connection& connection, seconds retention) {
    const auto locked = co_await connection.exec(sql::try_lock_retention);
    if (!locked.get<bool>(0, 0)) co_return std::nullopt;
    std::exception_ptr failure;
    RetentionReport report;
    try {
        report = co_await apply(connection, retention);
    } catch (...) {
        failure = std::current_exception();
    }
    // A session's lock outlives the failed statement, but not a lost connection.
    if (connection.usable()) co_await connection.exec(sql::unlock_retention);
    if (failure) std::rethrow_exception(failure);
    co_return report;
}

}  // namespace posthorn::store
