#include "store/replay_job.hpp"

#include "store/queries.hpp"

namespace posthorn::store {

using boost::asio::awaitable;

namespace {
constexpr std::pair<ReplayKind, std::string_view> kinds[]{{ReplayKind::recover, "recover"},
                                                          {ReplayKind::dead_letters, "dead_letters"},
                                                          {ReplayKind::missing, "missing"},
                                                          {ReplayKind::all, "all"}};

ReplayState parse_state(std::string_view text) {
    for (const auto state : {ReplayState::running, ReplayState::finished, ReplayState::cancelled})
        if (to_string(state) == text) return state;
    throw std::logic_error("a replay job has an unknown state");
}

std::optional<domain::DeadLetterReason> read_reason(const Rows& rows, int row, int column) {
    const auto number = rows.get<std::optional<std::int16_t>>(row, column);
    if (!number) return std::nullopt;
    return static_cast<domain::DeadLetterReason>(*number);
}

ReplayJobRow read_job(const Rows& rows, int row) {
    return {.id = rows.get<ReplayJobId>(row, 0),
            .kind = parse_replay_kind(rows.get<std::string_view>(row, 3)),
            .state = parse_state(rows.get<std::string_view>(row, 4)),
            .application = rows.get<std::optional<ApplicationId>>(row, 1),
            .endpoint = rows.get<std::optional<EndpointId>>(row, 2),
            .event_types = rows.get<std::optional<std::vector<std::string>>>(row, 5),
            .reason = read_reason(rows, row, 6),
            .after = rows.get<std::optional<SystemTime>>(row, 7),
            .before = rows.get<std::optional<SystemTime>>(row, 8),
            .rate_limit = rows.get<std::int32_t>(row, 9),
            .replayed = rows.get<std::int64_t>(row, 10),
            .created_at = rows.get<SystemTime>(row, 11),
            .updated_at = rows.get<SystemTime>(row, 12),
            .messages = read_message_choice(rows, row, 13)};
}
}  // namespace

std::string_view to_string(ReplayKind kind) {
    return std::ranges::find(kinds, kind, &std::pair<ReplayKind, std::string_view>::first)->second;
}

ReplayKind parse_replay_kind(std::string_view text) {
    const auto* found = std::ranges::find(kinds, text, &std::pair<ReplayKind, std::string_view>::second);
    if (found == std::end(kinds)) throw std::logic_error("a replay job has an unknown kind");
    return found->first;
}

std::string_view to_string(ReplayState state) {
    switch (state) {
        case ReplayState::running:
            return "running";
        case ReplayState::finished:
            return "finished";
        case ReplayState::cancelled:
            return "cancelled";
    }
    throw std::logic_error("a replay state has an unknown number");
}

MessageChoice read_message_choice(const Rows& rows, int row, int first_column) {
    MessageChoice choice{rows.get<std::optional<std::string>>(row, first_column),
                         rows.get<std::optional<std::string>>(row, first_column + 1)};
    if (const auto status = rows.get<std::optional<std::int16_t>>(row, first_column + 2))
        choice.status = static_cast<MessageStatus>(*status);
    return choice;
}

awaitable<ReplayJobRow> insert_replay_job(Connection& connection, ReplayJobId id, ReplayKind kind,
                                          DeadLetterFilter filter, std::int32_t rate_limit,
                                          MessageChoice messages) {
    std::optional<std::int16_t> reason, status;
    if (filter.reason) reason = static_cast<std::int16_t>(*filter.reason);
    if (messages.status) status = static_cast<std::int16_t>(*messages.status);
    const auto rows = co_await connection.exec(
        sql::insert_replay_job,
        Params::of(id, filter.organization, filter.application, filter.endpoint, to_string(kind),
                   filter.event_types, reason, filter.after, filter.before, rate_limit, messages.channel,
                   messages.tag, status));
    co_return read_job(rows, 0);
}

awaitable<std::optional<ReplayJobRow>> find_replay_job(Pool& pool, OrganizationId organization,
                                                       std::optional<ApplicationId> application,
                                                       ReplayJobId id) {
    const auto rows = co_await pool.exec(sql::find_replay_job, Params::of(organization, application, id));
    if (rows.empty()) co_return std::nullopt;
    co_return read_job(rows, 0);
}

awaitable<std::vector<ReplayJobRow>> list_replay_jobs(Pool& pool, OrganizationId organization,
                                                      ReplayJobFilter filter, Scan scan) {
    std::optional<std::string_view> kind, state;
    if (filter.kind) kind = to_string(*filter.kind);
    if (filter.state) state = to_string(*filter.state);
    const auto& statement =
        scan.descending ? sql::list_replay_jobs_descending : sql::list_replay_jobs_ascending;
    const auto rows = co_await pool.exec(
        statement, Params::of(organization, filter.application, scan.beyond, scan.limit, kind, state));
    std::vector<ReplayJobRow> jobs;
    for (int row = 0; row < rows.size(); ++row) jobs.push_back(read_job(rows, row));
    co_return jobs;
}

awaitable<bool> cancel_replay_job(Connection& connection, OrganizationId organization,
                                  std::optional<ApplicationId> application, ReplayJobId id) {
    const auto rows =
        co_await connection.exec(sql::cancel_replay_job, Params::of(organization, application, id));
    co_return rows.affected() > 0;
}

}  // namespace posthorn::store
