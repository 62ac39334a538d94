#include "store/background_task.hpp"

#include "store/queries.hpp"

namespace posthorn::store {

using boost::asio::awaitable;

namespace {
BackgroundTask read_task(const Rows& rows, int row) {
    return {rows.get<ReplayJobId>(row, 0), rows.get<std::string>(row, 1), rows.get<std::string>(row, 2)};
}
}  // namespace

awaitable<void> insert_background_task(Pool& pool, OrganizationId organization, BackgroundTask task) {
    co_await pool.exec(sql::insert_background_task,
                       Params::of(organization, task.id, task.task, Json{task.data}, background_tasks_kept));
}

awaitable<std::optional<BackgroundTask>> find_background_task(Pool& pool, OrganizationId organization,
                                                              ReplayJobId id) {
    const auto rows = co_await pool.exec(sql::find_background_task, Params::of(organization, id));
    if (rows.empty()) co_return std::nullopt;
    co_return read_task(rows, 0);
}

awaitable<std::vector<BackgroundTask>> list_background_tasks(Pool& pool, OrganizationId organization,
                                                             std::optional<std::string> task, Scan scan) {
    const auto& statement =
        scan.descending ? sql::list_background_tasks_descending : sql::list_background_tasks_ascending;
    const auto rows = co_await pool.exec(statement, Params::of(organization, scan.beyond, scan.limit, task));
    std::vector<BackgroundTask> tasks;
    for (int row = 0; row < rows.size(); ++row) tasks.push_back(read_task(rows, row));
    co_return tasks;
}

}  // namespace posthorn::store
