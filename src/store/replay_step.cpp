// The part of replay_job.hpp that makes new runs.
#include <algorithm>
#include <boost/json.hpp>
#include <unordered_map>

#include "base/crash_point.hpp"
#include "domain/payload_filter.hpp"
#include "store/queries.hpp"
#include "store/replay_job.hpp"

namespace posthorn::store {

using boost::asio::awaitable;
using std::chrono::milliseconds;

namespace {
constexpr std::int64_t messages_with_payloads_a_step = 32;  // read into memory for a filter

struct ClaimedJob {
    ReplayJobId id;
    ReplayKind kind = ReplayKind::dead_letters;
    DeadLetterFilter filter;
    MessageChoice messages;
    std::int32_t rate_limit = 0;
    std::int64_t before_run = 0;
    DeadLetterKey cursor;
    std::vector<EndpointId> crowded;
};

struct Candidate {
    ApplicationId application;
    DeadLetterKey key;
    bool has_payload = false;
};

struct LockedEndpoint {
    int shard = 0;
    bool ordered = false;
    bool disabled = false;
    bool deleted = false;
    std::int64_t live = 0;  // replayed deliveries; counted up to the limit
    bool has_filter = false;
};
using LockedEndpoints = std::unordered_map<EndpointId, LockedEndpoint>;

struct Selection {
    std::vector<Candidate> replayed, undeliverable;
};

awaitable<std::optional<ClaimedJob>> claim_job(Connection& connection) {
    const auto rows = co_await connection.exec(sql::claim_replay_job);
    if (rows.empty()) co_return std::nullopt;
    ClaimedJob job;
    job.id = rows.get<ReplayJobId>(0, 0);
    job.filter.organization = rows.get<OrganizationId>(0, 1);
    job.filter.application = rows.get<std::optional<ApplicationId>>(0, 2);
    job.filter.endpoint = rows.get<std::optional<EndpointId>>(0, 3);
    job.filter.event_types = rows.get<std::optional<std::vector<std::string>>>(0, 4);
    if (const auto reason = rows.get<std::optional<std::int16_t>>(0, 5))
        job.filter.reason = static_cast<domain::DeadLetterReason>(*reason);
    job.filter.after = rows.get<std::optional<SystemTime>>(0, 6);
    job.filter.before = rows.get<std::optional<SystemTime>>(0, 7);
    job.rate_limit = rows.get<std::int32_t>(0, 8);
    job.before_run = rows.get<std::int64_t>(0, 9);
    job.cursor = {rows.get<MessageId>(0, 10), rows.get<EndpointId>(0, 11)};
    job.crowded = rows.get<std::vector<EndpointId>>(0, 12);
    job.kind = parse_replay_kind(rows.get<std::string_view>(0, 13));
    job.messages = read_message_choice(rows, 0, 14);
    co_return job;
}

awaitable<std::vector<Candidate>> next_candidates(Connection& connection, const ClaimedJob& job,
                                                  std::int64_t limit) {
    auto params = to_params(job.filter);
    params.add(job.cursor.message).add(job.cursor.endpoint).add(job.before_run).add(job.crowded).add(limit);
    const auto rows = co_await connection.exec(sql::next_replay_candidates, std::move(params));
    std::vector<Candidate> candidates;
    for (int row = 0; row < rows.size(); ++row)
        candidates.push_back({rows.get<ApplicationId>(row, 0),
                              {rows.get<MessageId>(row, 2), rows.get<EndpointId>(row, 1)},
                              rows.get<bool>(row, 3)});
    co_return candidates;
}

awaitable<LockedEndpoints> lock_endpoints(Connection& connection, std::vector<EndpointId> ids,
                                          std::int64_t live_limit) {
    const auto rows = co_await connection.exec(sql::lock_replay_endpoints, Params::of(ids, live_limit));
    LockedEndpoints endpoints;
    for (int row = 0; row < rows.size(); ++row)
        endpoints[rows.get<EndpointId>(row, 0)] = {.shard = rows.get<std::int16_t>(row, 1),
                                                   .ordered = rows.get<bool>(row, 2),
                                                   .disabled = rows.get<bool>(row, 3),
                                                   .deleted = rows.get<bool>(row, 4),
                                                   .live = rows.get<std::int64_t>(row, 5),
                                                   .has_filter = rows.get<bool>(row, 6)};
    co_return endpoints;
}

std::vector<EndpointId> endpoints_of(const std::vector<Candidate>& candidates) {
    std::vector<EndpointId> ids;
    for (const auto& candidate : candidates) ids.push_back(candidate.key.endpoint);
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    return ids;
}

// Sorts the candidates out; endpoints that have enough for now join the job's crowded ones.
Selection sort_out(const std::vector<Candidate>& candidates, LockedEndpoints endpoints,
                   std::int64_t live_limit, std::vector<EndpointId>& crowded) {
    Selection selection;
    for (const auto& candidate : candidates) {
        const auto found = endpoints.find(candidate.key.endpoint);
        if (found == endpoints.end() || found->second.disabled || found->second.deleted) continue;
        if (!candidate.has_payload) {
            selection.undeliverable.push_back(candidate);
        } else if (found->second.live < live_limit) {
            ++found->second.live;
            selection.replayed.push_back(candidate);
        } else if (std::find(crowded.begin(), crowded.end(), candidate.key.endpoint) == crowded.end()) {
            crowded.push_back(candidate.key.endpoint);
        }
    }
    return selection;
}

struct Columns {
    std::vector<ApplicationId> applications;
    std::vector<EndpointId> endpoints;
    std::vector<MessageId> messages;

    explicit Columns(const std::vector<Candidate>& candidates) {
        for (const auto& candidate : candidates) {
            applications.push_back(candidate.application);
            endpoints.push_back(candidate.key.endpoint);
            messages.push_back(candidate.key.message);
        }
    }
};

awaitable<std::int64_t> revive(Connection& connection, std::vector<Candidate> chosen,
                               const LockedEndpoints& endpoints, std::int64_t before_run) {
    if (chosen.empty()) co_return 0;
    const Columns columns(chosen);
    std::vector<std::int16_t> shards;
    std::vector<bool> ordered;
    for (const auto id : columns.endpoints) {
        shards.push_back(static_cast<std::int16_t>(endpoints.at(id).shard));
        ordered.push_back(endpoints.at(id).ordered);
    }
    const auto rows = co_await connection.exec(
        sql::replay_dead_letters,
        Params::of(columns.applications, columns.endpoints, columns.messages, shards, ordered, before_run));
    co_return rows.affected();
}

awaitable<void> mark_undeliverable(Connection& connection, std::vector<Candidate> chosen) {
    if (chosen.empty()) co_return;
    const Columns columns(chosen);
    co_await connection.exec(sql::mark_undeliverable,
                             Params::of(columns.applications, columns.endpoints, columns.messages,
                                        static_cast<std::int16_t>(domain::DeadLetterReason::undeliverable)));
}

// Where the job stands after a step, and how long it rests.
struct Progress {
    ReplayState state = ReplayState::running;
    DeadLetterKey cursor;
    std::vector<EndpointId> crowded;
    milliseconds rest{0};
};

Progress progress_after(const ClaimedJob& job, const std::vector<Candidate>& candidates,
                        std::int64_t step_limit, std::int64_t replayed, milliseconds crowded_pause) {
    Progress progress{ReplayState::running, job.cursor, job.crowded, milliseconds(0)};
    if (job.rate_limit > 0)
        progress.rest = milliseconds((replayed * 1000 + job.rate_limit - 1) / job.rate_limit);
    if (static_cast<std::int64_t>(candidates.size()) == step_limit) {
        progress.cursor = candidates.back().key;
    } else if (job.crowded.empty()) {
        progress.state = ReplayState::finished;
    } else {
        progress.cursor = {};
        progress.crowded.clear();
        progress.rest = std::max(progress.rest, crowded_pause);
    }
    return progress;
}

awaitable<void> save(Connection& connection, ReplayJobId id, Progress progress, std::int64_t replayed) {
    co_await connection.exec(
        sql::advance_replay_job,
        Params::of(id, to_string(progress.state), progress.cursor.message, progress.cursor.endpoint,
                   progress.crowded, replayed, static_cast<std::int64_t>(progress.rest.count())));
}

bool passes_filter(const Rows& rows, int row) {
    const auto filter = rows.get<std::optional<std::string>>(row, 2);
    if (!filter) return true;
    const auto parsed = domain::PayloadFilter::parse(boost::json::parse(*filter).as_object());
    return std::get<domain::PayloadFilter>(parsed).matches(rows.get<std::string>(row, 3));
}

struct MessagePage {
    std::vector<MessageId> chosen;
    std::vector<std::optional<SystemTime>> deliver_at;  // of the chosen ones
    MessageId last;                                     // that was looked at
    bool at_end = false;
};

awaitable<MessagePage> next_messages(Connection& connection, const ClaimedJob& job, std::int64_t look_at_most,
                                     std::int64_t choose_most) {
    Uuid past;
    past.bytes.fill(0xFF);
    if (job.filter.before) past = uuid_v7_floor(*job.filter.before);
    const auto first = job.filter.after ? uuid_v7_floor(*job.filter.after) : Uuid{};
    std::optional<std::int16_t> status;
    if (job.messages.status) status = static_cast<std::int16_t>(*job.messages.status);
    const auto rows = co_await connection.exec(
        sql::next_messages_to_replay,
        Params::of(job.filter.application, job.filter.endpoint, job.cursor.message, first, past, look_at_most,
                   job.kind == ReplayKind::missing, job.filter.event_types, job.messages.channel,
                   job.messages.tag, status));
    MessagePage page;
    page.last = job.cursor.message;
    int row = 0;
    for (; row < rows.size() && std::ssize(page.chosen) < choose_most; ++row) {
        page.last = rows.get<MessageId>(row, 0);
        if (!rows.get<bool>(row, 1) || !passes_filter(rows, row)) continue;
        page.chosen.push_back(page.last);
        page.deliver_at.push_back(rows.get<std::optional<SystemTime>>(row, 4));
    }
    page.at_end = row == rows.size() && rows.size() < look_at_most;
    co_return page;
}

// One step of a job that replays an endpoint's messages. It has one endpoint, so what is too much for that
// now simply waits.
awaitable<ReplayStep> replay_messages(Connection& connection, const ClaimedJob& job, ReplayLimits limits,
                                      std::int64_t step_limit) {
    ReplayStep step{.job = job.id};
    Progress progress{ReplayState::running, job.cursor, {}, milliseconds(0)};
    const auto id = job.filter.endpoint.value();
    const auto endpoints = co_await lock_endpoints(connection, {id}, limits.live_per_endpoint);
    const auto target = endpoints.find(id);
    if (target == endpoints.end() || target->second.disabled || target->second.deleted) {
        progress.state = ReplayState::cancelled;  // by whoever closed the endpoint
    } else if (const auto room = std::min(step_limit, limits.live_per_endpoint - target->second.live);
               room <= 0) {
        progress.rest = limits.crowded_pause;
    } else {
        const auto& endpoint = target->second;
        auto look_at_most = limits.messages_a_step;
        if (endpoint.has_filter) look_at_most = std::min(look_at_most, messages_with_payloads_a_step);
        const auto page = co_await next_messages(connection, job, look_at_most, room);
        if (page.at_end) progress.state = ReplayState::finished;
        progress.cursor.message = page.last;
        if (!page.chosen.empty()) {
            const auto inserted = co_await connection.exec(
                sql::replay_messages,
                Params::of(job.filter.application, id, page.chosen, static_cast<std::int16_t>(endpoint.shard),
                           endpoint.ordered, page.deliver_at));
            step.replayed = inserted.affected();
            step.woken.emplace_back(endpoint.shard, id);
        }
        if (job.rate_limit > 0)
            progress.rest = milliseconds((step.replayed * 1000 + job.rate_limit - 1) / job.rate_limit);
    }
    step.state = progress.state;
    co_await save(connection, job.id, progress, step.replayed);
    co_return step;
}

awaitable<std::optional<ReplayStep>> step_within_transaction(Connection& connection, ReplayLimits limits) {
    auto job = co_await claim_job(connection);
    if (!job) co_return std::nullopt;
    // At most a second's worth, so that a slow replay is a stream and not a burst.
    const auto step_limit = job->rate_limit > 0
                                ? std::min<std::int64_t>(limits.deliveries_a_step, job->rate_limit)
                                : limits.deliveries_a_step;
    if (job->kind == ReplayKind::missing || job->kind == ReplayKind::all)
        co_return co_await replay_messages(connection, *job, limits, step_limit);
    const auto candidates = co_await next_candidates(connection, *job, step_limit);
    const auto endpoints =
        co_await lock_endpoints(connection, endpoints_of(candidates), limits.live_per_endpoint);
    const auto selection = sort_out(candidates, endpoints, limits.live_per_endpoint, job->crowded);

    ReplayStep step{.job = job->id};
    step.replayed = co_await revive(connection, selection.replayed, endpoints, job->before_run);
    co_await mark_undeliverable(connection, selection.undeliverable);
    const auto progress = progress_after(*job, candidates, step_limit, step.replayed, limits.crowded_pause);
    co_await save(connection, job->id, progress, step.replayed);
    step.state = progress.state;
    for (const auto id : endpoints_of(selection.replayed))
        step.woken.emplace_back(endpoints.at(id).shard, id);
    co_return step;
}
}  // namespace

awaitable<std::optional<ReplayStep>> run_replay_step(Connection& connection, ReplayLimits limits) {
    co_return co_await in_transaction(connection, [&]() -> awaitable<std::optional<ReplayStep>> {
        auto step = co_await step_within_transaction(connection, limits);
        if (step) crash_point(CrashPoint::replay_step_before_commit);
        co_return step;
    });
}

awaitable<std::optional<milliseconds>> time_to_next_replay_step(Connection& connection) {
    const auto rows = co_await connection.exec(sql::time_to_next_replay_step);
    const auto left = rows.get<std::optional<std::int64_t>>(0, 0);
    if (!left) co_return std::nullopt;
    co_return milliseconds(*left);
}

awaitable<Resend> resend_message(Connection& connection, ApplicationId application, EndpointId endpoint,
                                 MessageId message) {
    const auto endpoints = co_await lock_endpoints(connection, {endpoint}, 1);
    const auto target = endpoints.find(endpoint);
    if (target == endpoints.end() || target->second.deleted)
        co_return Resend{ResendOutcome::endpoint_unknown};
    if (target->second.disabled) co_return Resend{ResendOutcome::endpoint_disabled};
    const auto found = co_await connection.exec(sql::find_message, Params::of(application, message, false));
    if (found.empty()) co_return Resend{ResendOutcome::message_unknown};
    if (found.get<bool>(0, 4)) co_return Resend{ResendOutcome::message_expunged};
    co_await connection.exec(sql::resend_delivery, Params::of(application, endpoint, message,
                                                              static_cast<std::int16_t>(target->second.shard),
                                                              target->second.ordered));
    co_return Resend{ResendOutcome::queued, target->second.shard};
}

}  // namespace posthorn::store
