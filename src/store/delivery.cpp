#include "store/delivery.hpp"

#include <unordered_map>

#include "domain/shard.hpp"
#include "store/audit_log.hpp"
#include "store/endpoint_change.hpp"
#include "store/message_headers.hpp"
#include "store/queries.hpp"

namespace posthorn::store {

using boost::asio::awaitable;

namespace {

// A success after the failure of this one is told (complete_deliveries, message.attempt.recovered).
constexpr int attempt_told_as_failing = 4;

std::int16_t small(int value) { return static_cast<std::int16_t>(value); }

std::vector<DeliveryRow> read_delivery_rows(const Rows& rows) {
    std::vector<DeliveryRow> list;
    list.reserve(static_cast<std::size_t>(rows.size()));
    for (int row = 0; row < rows.size(); ++row)
        list.push_back(
            {rows.get<ApplicationId>(row, 0), rows.get<EndpointId>(row, 1), rows.get<MessageId>(row, 2),
             rows.get<std::int16_t>(row, 3), rows.get<bool>(row, 4), rows.get<std::int64_t>(row, 5),
             std::chrono::microseconds(rows.get<std::int64_t>(row, 6)), rows.get<RowPlace>(row, 7)});
    return list;
}

}  // namespace

awaitable<std::vector<BackloggedEndpoint>> list_backlogged_endpoints(Connection& connection,
                                                                     std::vector<int> shards) {
    const std::vector<std::int16_t> wanted(shards.begin(), shards.end());
    const auto rows = co_await connection.exec(sql::list_backlogged_endpoints, Params::of(wanted));
    std::vector<BackloggedEndpoint> list;
    list.reserve(static_cast<std::size_t>(rows.size()));
    for (int row = 0; row < rows.size(); ++row)
        list.push_back({rows.get<std::int16_t>(row, 0), rows.get<EndpointId>(row, 1)});
    co_return list;
}

awaitable<std::vector<DeliveryRow>> probe_endpoints(Connection& connection,
                                                    std::vector<ProbeTarget> targets) {
    std::vector<std::int16_t> shards;
    std::vector<EndpointId> endpoints;
    std::vector<std::int32_t> counts;
    std::vector<SystemTime> watermarks;
    for (const auto& target : targets) {
        shards.push_back(small(target.shard));
        endpoints.push_back(target.endpoint);
        counts.push_back(target.count);
        watermarks.push_back(target.watermark);
    }
    co_return read_delivery_rows(
        co_await connection.exec(sql::probe_endpoints, Params::of(shards, endpoints, counts, watermarks)));
}

awaitable<std::vector<DeliveryRow>> probe_ordered_endpoints(Connection& connection,
                                                            std::vector<EndpointId> endpoints) {
    std::vector<std::int16_t> shards;
    for (const auto endpoint : endpoints) shards.push_back(small(domain::shard_of(endpoint)));
    co_return read_delivery_rows(
        co_await connection.exec(sql::probe_ordered_endpoints, Params::of(shards, endpoints)));
}

awaitable<std::vector<PayloadRow>> load_payloads(Connection& connection,
                                                 std::vector<ApplicationId> applications,
                                                 std::vector<MessageId> messages, std::int64_t limit_bytes) {
    const auto rows =
        co_await connection.exec(sql::load_payloads, Params::of(applications, messages, limit_bytes));
    std::vector<PayloadRow> list;
    for (int row = 0; row < rows.size(); ++row) {
        auto payload = rows.get<std::optional<std::string>>(row, 1);
        list.push_back(
            {rows.get<MessageId>(row, 0),
             payload ? std::make_shared<const std::string>(*std::move(payload)) : nullptr,
             domain::make_extras({.headers = headers_from_json(rows.get<std::optional<std::string>>(row, 2)),
                                  .raw = rows.get<bool>(row, 3),
                                  .deliver_at = rows.get<std::optional<SystemTime>>(row, 4)}),
             rows.get<bool>(row, 5)});
    }
    co_return list;
}

awaitable<std::vector<EndpointRow>> load_endpoints(Connection& connection,
                                                   std::vector<EndpointId> endpoints) {
    const auto rows = co_await connection.exec(sql::load_endpoints, Params::of(endpoints));
    std::vector<EndpointRow> list;
    for (int row = 0; row < rows.size(); ++row) {
        EndpointRow endpoint{
            .id = rows.get<EndpointId>(row, 0),
            .application = rows.get<ApplicationId>(row, 1),
            .shard = rows.get<std::int16_t>(row, 2),
            .version = rows.get<std::int64_t>(row, 3),
            .url = rows.get<std::string>(row, 4),
            .disabled = rows.get<bool>(row, 5),
            .deleted = rows.get<bool>(row, 6),
            .rate_limit = rows.get<std::optional<std::int32_t>>(row, 7).value_or(0),
            .sealed_headers = rows.get<std::optional<std::string>>(row, 8),
            .http2 = rows.get<bool>(row, 9),
            .ordered = rows.get<bool>(row, 10),
            .filter = rows.get<std::optional<std::string>>(row, 11),
            .retry_schedule = rows.get<std::optional<std::vector<std::int32_t>>>(row, 12),
            .timeout_s = rows.get<std::optional<std::int32_t>>(row, 13),
            .failing_since = rows.get<std::optional<SystemTime>>(row, 14),
            .secrets = {},
        };
        auto sealed = rows.get<std::vector<std::string>>(row, 15);
        const auto expiries = rows.get<std::vector<std::int64_t>>(row, 16);
        for (std::size_t i = 0; i < sealed.size(); ++i) {
            std::optional<SystemTime> expires_at;
            if (expiries.at(i) != 0) expires_at = SystemTime(std::chrono::microseconds(expiries[i]));
            endpoint.secrets.push_back({std::move(sealed[i]), expires_at});
        }
        list.push_back(std::move(endpoint));
    }
    co_return list;
}

namespace {

// Which run of which delivery, and whose shard it is of.
struct RunColumns {
    std::vector<std::int16_t> shard, attempt;
    std::vector<std::int64_t> epoch, run_id;
    std::vector<ApplicationId> application;
    std::vector<EndpointId> endpoint;
    std::vector<MessageId> message;

    void add(const Outcome& outcome) {
        shard.push_back(small(outcome.shard.shard));
        epoch.push_back(outcome.shard.epoch);
        application.push_back(outcome.application);
        endpoint.push_back(outcome.endpoint);
        message.push_back(outcome.message);
        run_id.push_back(outcome.run_id);
        attempt.push_back(small(outcome.attempt));
    }
    void add_to(Params& params) const {
        params.add(shard).add(epoch).add(application).add(endpoint).add(message).add(run_id).add(attempt);
    }
};

// What became of a request.
struct RequestColumns {
    std::vector<AttemptId> id;
    std::vector<std::int16_t> status;
    std::vector<std::int32_t> duration_ms;
    std::vector<std::string_view> url;
    std::vector<Bytes> response;

    void add(const AttemptRecord& record) {
        id.push_back(record.id);
        status.push_back(small(record.status));
        duration_ms.push_back(static_cast<std::int32_t>(record.duration.count()));
        url.push_back(record.url);
        response.push_back(Bytes{record.response});
    }
};

// The two column groups of complete_deliveries: outcomes, and the log rows of those that had a request.
struct OutcomeColumns {
    RunColumns runs;
    std::vector<std::int16_t> verdict;
    std::vector<std::optional<std::int16_t>> reason;
    std::vector<std::int64_t> delay_ms;

    void add(const Outcome& outcome) {
        runs.add(outcome);
        verdict.push_back(static_cast<std::int16_t>(outcome.verdict));
        reason.push_back(outcome.reason ? std::optional(static_cast<std::int16_t>(*outcome.reason))
                                        : std::nullopt);
        delay_ms.push_back(outcome.delay.count());
    }
    void add_to(Params& params) const {
        runs.add_to(params);
        params.add(verdict).add(reason).add(delay_ms);
    }
};

struct LogColumns {
    RunColumns runs;
    RequestColumns requests;
    std::vector<std::int16_t> failure;
    std::vector<bool> manual, succeeded;

    void add(const Outcome& outcome) {
        if (!outcome.record) return;
        runs.add(outcome);
        requests.add(*outcome.record);
        manual.push_back(outcome.manual);
        succeeded.push_back(outcome.record->succeeded);
        failure.push_back(small(outcome.record->failure));
    }
    void add_to(Params& params) const {
        params.add(runs.application)
            .add(runs.message)
            .add(requests.id)
            .add(runs.endpoint)
            .add(runs.run_id)
            .add(runs.attempt)
            .add(manual)
            .add(succeeded)
            .add(requests.status)
            .add(failure)
            .add(requests.duration_ms)
            .add(requests.url)
            .add(requests.response);
    }
};

}  // namespace

awaitable<std::vector<Completion>> complete_deliveries(Connection& connection,
                                                       const std::vector<Outcome>& outcomes) {
    OutcomeColumns columns;
    LogColumns log;
    for (const auto& outcome : outcomes) {
        columns.add(outcome);
        log.add(outcome);
    }
    Params params;
    columns.add_to(params);
    log.add_to(params);
    const auto rows = co_await connection.exec(sql::complete_deliveries, std::move(params));
    std::vector<Completion> completions(outcomes.size());
    for (int row = 0; row < rows.size(); ++row) {
        auto& completion = completions.at(static_cast<std::size_t>(rows.get<std::int64_t>(row, 0) - 1));
        completion.applied = true;
        completion.due_in = std::chrono::microseconds(rows.get<std::int64_t>(row, 1));
    }
    co_return completions;
}

bool is_plain(const Outcome& outcome) {
    return outcome.verdict == Outcome::Verdict::delivered && !outcome.manual &&
           outcome.attempt <= attempt_told_as_failing && outcome.record && outcome.record->failure == 0;
}

awaitable<std::vector<Completion>> complete_plain_deliveries(Connection& connection,
                                                             const std::vector<Outcome>& outcomes) {
    RunColumns runs;
    RequestColumns requests;
    std::vector<RowPlace> places;
    std::unordered_map<std::int64_t, std::size_t> by_run;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        runs.add(outcomes[i]);
        requests.add(*outcomes[i].record);
        places.push_back(outcomes[i].place);
        by_run.emplace(outcomes[i].run_id, i);
    }
    Params params;
    runs.add_to(params);
    params.add(requests.id)
        .add(requests.status)
        .add(requests.duration_ms)
        .add(requests.url)
        .add(requests.response)
        .add(places);
    const auto rows = co_await connection.exec(sql::complete_plain_deliveries, std::move(params));
    std::vector<Completion> completions(outcomes.size());
    for (int row = 0; row < rows.size(); ++row)
        completions[by_run.at(rows.get<std::int64_t>(row, 0))].applied = true;
    co_return completions;
}

awaitable<std::int64_t> end_deliveries_of_endpoint(Connection& connection, HeldShard shard,
                                                   ApplicationId application, EndpointId endpoint,
                                                   std::optional<domain::DeadLetterReason> reason,
                                                   std::vector<MessageId> except, int limit) {
    std::optional<std::int16_t> number;
    if (reason) number = static_cast<std::int16_t>(*reason);
    const auto rows = co_await connection.exec(
        sql::end_deliveries_of_endpoint, Params::of(small(shard.shard), shard.epoch, application, endpoint,
                                                    number, except, std::int64_t{limit}));
    co_return rows.get<std::int64_t>(0, 0);
}

awaitable<void> mark_endpoints_failing(Connection& connection, std::vector<EndpointId> endpoints) {
    co_await connection.exec(sql::mark_endpoints_failing, Params::of(endpoints));
}

awaitable<void> mark_endpoints_recovered(Connection& connection, std::vector<EndpointId> endpoints) {
    co_await connection.exec(sql::mark_endpoints_recovered, Params::of(endpoints));
}

awaitable<void> mark_circuits(Connection& connection,
                              std::map<EndpointId, std::optional<SystemTime>> circuits) {
    std::vector<EndpointId> endpoints;
    std::vector<std::optional<SystemTime>> until;
    for (const auto& [endpoint, time] : circuits) {
        endpoints.push_back(endpoint);
        until.push_back(time);
    }
    co_await connection.exec(sql::mark_circuits, Params::of(endpoints, until));
}

awaitable<bool> disable_endpoint(Connection& connection, EndpointId endpoint, std::string reason,
                                 std::optional<std::chrono::seconds> failing_for) {
    std::optional<double> seconds;
    if (failing_for) seconds = static_cast<double>(failing_for->count());
    co_return co_await in_transaction(connection, [&]() -> awaitable<bool> {
        const auto rows =
            co_await connection.exec(sql::disable_endpoint, Params::of(endpoint, reason, seconds));
        if (rows.empty()) co_return false;
        co_await record_endpoint_changes(connection, {endpoint});
        const boost::json::object details{
            {"application", rows.get<ApplicationId>(0, 1).str()}, {"disabled", true}, {"reason", reason}};
        co_await record_audit(connection, rows.get<SystemTime>(0, 2),
                              {.organization = rows.get<OrganizationId>(0, 0),
                               .actor = "service",
                               .action = "endpoint.update",
                               .subject = endpoint.str(),
                               .details = boost::json::serialize(details)});
        co_return true;
    });
}

}  // namespace posthorn::store
