#include "bench/storage_limit.hpp"

#include <exception>
#include <fmt/format.h>
#include <stdexcept>
#include <thread>

#include "base/clock.hpp"
#include "bench/generator.hpp"

namespace posthorn::bench {

namespace {
constexpr auto database_name = "storage_limit";

// As store::Connection has it for the hot path.
constexpr auto hot_plans =
    "SET plan_cache_mode = force_generic_plan; SET jit = off; SET enable_seqscan = off; "
    "SET enable_hashjoin = off; SET enable_mergejoin = off";

constexpr auto accept_sql = R"(
WITH inserted AS (
    INSERT INTO message (app_id, id, event_type, payload)
    SELECT i.app_id, i.id, 'bench.event', i.payload FROM unnest($1, $2, $3) AS i (app_id, id, payload)
    RETURNING app_id, id
)
INSERT INTO delivery (app_id, endpoint_id, message_id, shard, due_at)
SELECT m.app_id, e.id, m.id, e.shard, clock_timestamp()
FROM inserted m
JOIN endpoint e ON e.app_id = m.app_id AND e.deleted_at IS NULL AND NOT e.disabled
RETURNING app_id, endpoint_id, message_id, run_id)";

// One look-up a delivery, whatever is known of the table: a join is planned as a walk through all of it once
// it was vacuumed while it was empty, which happens between two measurements.
constexpr auto complete_sql = R"(
WITH outcome AS MATERIALIZED (
    SELECT * FROM unnest($1, $2, $3, $4, $5) AS o (app_id, endpoint_id, message_id, run_id, attempt_id)
), logged AS (
    INSERT INTO attempt (app_id, message_id, id, endpoint_id, run_id, attempt, manual, succeeded, status_code, failure,
                         duration_ms, url, response)
    SELECT app_id, message_id, attempt_id, endpoint_id, run_id, 1, false, true, 200, 0, 1, $6, '' FROM outcome
)
DELETE FROM delivery WHERE ctid = ANY (ARRAY(
    SELECT d.ctid
    FROM outcome o
    CROSS JOIN LATERAL (SELECT l.ctid FROM delivery l
                        WHERE l.app_id = o.app_id AND l.endpoint_id = o.endpoint_id AND l.message_id = o.message_id
                        OFFSET 0) d)))";

const std::string endpoint_url = "http://127.1.0.1:50000/endpoint/500";

Session open_fresh(const Database& database) {
    database.make_database(database_name);
    return database.open(database_name);
}
}  // namespace

StorageLimit::StorageLimit(const Database& database, std::uint32_t endpoints, std::size_t payload_bytes)
    : ingest_(open_fresh(database)),
      completion_(database.open(database_name)),
      payload_bytes_(payload_bytes) {
    make_endpoints(endpoints);
    for (auto* session : {&ingest_, &completion_}) session->run(hot_plans);
    completion_.run("SET synchronous_commit = off");
    const std::vector<Uuid> ids;
    ingest_.prepare("accept", accept_sql, store::Params::of(ids, ids, std::vector<store::Bytes>()));
    completion_.prepare("complete", complete_sql,
                        store::Params::of(ids, ids, ids, std::vector<std::int64_t>(), ids, endpoint_url));
}

void StorageLimit::make_endpoints(std::uint32_t count) {
    ingest_.query(
        "INSERT INTO application (id, org_id, name) "
        "SELECT make_uuid_v7(), gen_random_uuid(), 'customer' FROM generate_series(1, $1)",
        store::Params::of(std::int64_t{count}));
    ingest_.query(
        "INSERT INTO endpoint (id, app_id, org_id, url, shard) "
        "SELECT gen_random_uuid(), id, org_id, $1, (row_number() OVER ()) % 64 FROM application",
        store::Params::of(endpoint_url));
    ingest_.run("ANALYZE application, endpoint");
    const auto rows = ingest_.query("SELECT id FROM application");
    for (int row = 0; row < rows.size(); ++row) applications_.push_back(rows.get<Uuid>(row, 0));
}

double StorageLimit::measure(std::chrono::seconds duration) {
    ended_ = false;
    const auto begin = std::chrono::steady_clock::now();
    std::exception_ptr failure;
    std::jthread ingest([&] {
        try {
            accept(begin + duration);
        } catch (...) {
            failure = std::current_exception();
        }
        const std::lock_guard lock(mutex_);
        ended_ = true;
        changed_.notify_all();
    });
    const auto completed = complete();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    ingest.join();
    if (failure) std::rethrow_exception(failure);
    // Or autovacuum would go through them while the service is measured.
    ingest_.run("TRUNCATE message, delivery, attempt");
    return static_cast<double>(completed) / elapsed.count();
}

void StorageLimit::accept(std::chrono::steady_clock::time_point deadline) {
    Event event(payload_bytes_);
    while (std::chrono::steady_clock::now() < deadline && !interrupted) put(accept_batch(event));
}

StorageLimit::Batch StorageLimit::accept_batch(Event& event) {
    std::vector<Uuid> applications, messages;
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < batch_messages; ++i) {
        applications.push_back(applications_[next_ % applications_.size()]);
        messages.push_back(message_ids_.next(RealClock().system_now()));
        texts.emplace_back(event.payload(next_++));
    }
    std::vector<store::Bytes> payloads;
    for (const auto& text : texts) payloads.push_back({text});
    const auto rows = ingest_.execute("accept", store::Params::of(applications, messages, payloads));
    Batch batch;
    for (int row = 0; row < rows.size(); ++row) {
        batch.applications.push_back(rows.get<Uuid>(row, 0));
        batch.endpoints.push_back(rows.get<Uuid>(row, 1));
        batch.messages.push_back(rows.get<Uuid>(row, 2));
        batch.runs.push_back(rows.get<std::int64_t>(row, 3));
    }
    return batch;
}

std::uint64_t StorageLimit::complete() {
    std::uint64_t completed = 0;
    try {
        while (const auto batch = take()) {
            complete_batch(*batch);
            completed += batch->messages.size();
        }
    } catch (...) {
        const std::lock_guard lock(mutex_);
        broken_ = true;
        changed_.notify_all();
        throw;
    }
    return completed;
}

void StorageLimit::complete_batch(const Batch& batch) {
    std::vector<Uuid> attempts;
    for (std::size_t i = 0; i < batch.messages.size(); ++i)
        attempts.push_back(attempt_ids_.next(RealClock().system_now()));
    const auto deleted =
        completion_
            .execute("complete", store::Params::of(batch.applications, batch.endpoints, batch.messages,
                                                   batch.runs, attempts, endpoint_url))
            .affected();
    if (deleted != static_cast<std::int64_t>(batch.messages.size()))
        throw std::runtime_error("the storage limit did not find the deliveries that it made");
}

void StorageLimit::put(Batch batch) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_.size() < most_waiting || broken_; });
    if (broken_) throw std::runtime_error("completion has failed");
    waiting_.push_back(std::move(batch));
    changed_.notify_all();
}

std::optional<StorageLimit::Batch> StorageLimit::take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !waiting_.empty() || ended_; });
    if (waiting_.empty()) return std::nullopt;
    auto batch = std::move(waiting_.front());
    waiting_.pop_front();
    changed_.notify_all();
    return batch;
}

}  // namespace posthorn::bench
