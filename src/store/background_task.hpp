#pragma once
#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/id.hpp"
#include "store/connection.hpp"
#include "store/scan.hpp"

namespace posthorn::store {

// What was worked out for somebody who comes back for it. Replays are background tasks, too, and share the
// ids' kind (store/replay_job.hpp).
struct BackgroundTask {
    ReplayJobId id;
    std::string task;
    std::string data;  // a JSON object
};

// The latest ones of each organization are kept.
inline constexpr std::int64_t background_tasks_kept = 1'000;
boost::asio::awaitable<void> insert_background_task(Pool& pool, OrganizationId organization,
                                                    BackgroundTask task);
boost::asio::awaitable<std::optional<BackgroundTask>> find_background_task(Pool& pool,
                                                                           OrganizationId organization,
                                                                           ReplayJobId id);
// With a task: those of it alone.
boost::asio::awaitable<std::vector<BackgroundTask>> list_background_tasks(Pool& pool,
                                                                          OrganizationId organization,
                                                                          std::optional<std::string> task,
                                                                          Scan scan);

}  // namespace posthorn::store
