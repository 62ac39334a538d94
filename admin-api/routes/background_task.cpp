#include "store/background_task.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "admin-api/access.hpp"
#include "admin-api/fields.hpp"
#include "admin-api/pagination.hpp"
#include "admin-api/replay_jobs.hpp"
#include "admin-api/routes.hpp"

namespace posthorn::admin {

using boost::asio::awaitable;
namespace json = boost::json;

namespace {

constexpr TextRule task_rule{.shortest = 1, .longest = 64};

struct Task {
    ReplayJobId id;
    json::object shown;
};

Task to_task(const store::ReplayJobRow& job) {
    auto shown = task_json(job);
    shown["data"] = to_json(job);
    return {job.id, std::move(shown)};
}

Task to_task(const store::BackgroundTask& task) {
    return {task.id,
            {{"id", task.id.str()},
             {"status", store::to_string(store::ReplayState::finished)},
             {"task", task.task},
             {"data", from_json_text(task.data)}}};
}

struct TaskFilter {
    std::optional<std::string> task;
    std::optional<store::ReplayState> state;
};

TaskFilter read_filter(const QueryReader& query) {
    TaskFilter filter{query.text("task", task_rule), std::nullopt};
    static constexpr std::array<store::ReplayState, 3> states{
        store::ReplayState::running, store::ReplayState::finished, store::ReplayState::cancelled};
    if (const auto word = query.choice("status", {"running", "finished", "failed"}))
        filter.state = states[*word];
    return filter;
}

awaitable<std::vector<store::ReplayJobRow>> list_replays(Context& context, const Principal& principal,
                                                         TaskFilter filter, store::Scan scan) {
    store::ReplayJobFilter wanted{.application = principal.application, .state = filter.state};
    if (filter.task) {
        for (const auto kind : {store::ReplayKind::recover, store::ReplayKind::dead_letters,
                                store::ReplayKind::missing, store::ReplayKind::all})
            if (task_word(kind) == *filter.task) wanted.kind = kind;
        if (!wanted.kind) co_return std::vector<store::ReplayJobRow>{};
    }
    co_return co_await store::list_replay_jobs(context.pool, principal.organization, wanted, scan);
}

// The others are the organization's, and have finished.
awaitable<std::vector<store::BackgroundTask>> list_others(Context& context, const Principal& principal,
                                                          TaskFilter filter, store::Scan scan) {
    const bool finished = !filter.state || *filter.state == store::ReplayState::finished;
    if (principal.application || !finished) co_return std::vector<store::BackgroundTask>{};
    co_return co_await store::list_background_tasks(context.pool, principal.organization, filter.task, scan);
}

awaitable<http::Response> list_background_tasks(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"replay", false});
    Problems problems;
    const QueryReader query(request, problems);
    const auto page = read_page<ReplayJobId>(query, Order::descending);
    const auto filter = read_filter(query);
    problems.throw_if_any();
    const auto scan = scan_of(page);
    std::vector<Task> tasks;
    for (const auto& job : co_await list_replays(context, principal, filter, scan))
        tasks.push_back(to_task(job));
    for (const auto& task : co_await list_others(context, principal, filter, scan))
        tasks.push_back(to_task(task));
    std::ranges::sort(tasks, [&](const Task& a, const Task& b) {
        return scan.descending ? b.id.value < a.id.value : a.id.value < b.id.value;
    });
    if (std::ssize(tasks) > scan.limit) tasks.resize(static_cast<std::size_t>(scan.limit));
    co_return page_response(
        page, std::move(tasks), [](const Task& task) { return task.id.str(); },
        [](const Task& task) { return task.shown; });
}

awaitable<http::Response> get_background_task(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"replay", false});
    const auto id = ReplayJobId::parse(request.parameter("task_id"));
    if (!id) throw not_found();
    const auto job =
        co_await store::find_replay_job(context.pool, principal.organization, principal.application, *id);
    if (job) co_return http::json_response(200, to_task(*job).shown);
    if (principal.application) throw not_found();
    const auto task = co_await store::find_background_task(context.pool, principal.organization, *id);
    if (!task) throw not_found();
    co_return http::json_response(200, to_task(*task).shown);
}

}  // namespace

void add_background_task_routes(http::Router& router, Context& context) {
    using http::Method;
    add_route(router, context, Method::get, "/api/v1/background-task", list_background_tasks);
    add_route(router, context, Method::get, "/api/v1/background-task/{task_id}", get_background_task);
}

}  // namespace posthorn::admin
