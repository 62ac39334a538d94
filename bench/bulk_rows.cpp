#include "bench/bulk_rows.hpp"

#include <algorithm>
#include <exception>
#include <fmt/format.h>
#include <thread>

#include "bench/event.hpp"
#include "bench/generator.hpp"

namespace posthorn::bench {

namespace {
constexpr std::int64_t rows_a_statement = 50'000;

// A UUIDv7 of a time, made unique by a number: 'at' and 'n' are columns.
constexpr auto numbered_id = R"(
    (lpad(to_hex((extract(epoch FROM at) * 1000)::int8), 12, '0') || '7' || lpad(to_hex(n & 4095), 3, '0') || '8'
     || lpad(to_hex(n), 15, '0'))::uuid)";

constexpr auto quick_session = "SET synchronous_commit = off; SET jit = off";

// For each n of [from, to): which endpoint, and when. Parameters: from, to, how many in all.
constexpr auto history = R"(
    SELECT n, e.app_id, e.id AS endpoint_id, e.url, now() - interval '1 day' + n * (interval '1 day' / $3::float8) AS at
    FROM generate_series($1::int8, $2::int8 - 1) AS n
    JOIN (SELECT *, row_number() OVER (ORDER BY id) - 1 AS place FROM endpoint) e
      ON e.place = n % (SELECT count(*) FROM endpoint)
    ORDER BY n)";

std::string message_history() {
    return fmt::format(
        "INSERT INTO message (app_id, id, event_type, payload) SELECT app_id, {}, 'bench.event', $4 FROM "
        "({}) h",
        numbered_id, history);
}

std::string attempt_history() {
    return fmt::format(
        "INSERT INTO attempt (app_id, message_id, id, endpoint_id, run_id, attempt, manual, succeeded, "
        "status_code, failure, duration_ms, url, response) "
        "SELECT app_id, {0}, {0}, endpoint_id, -n, 1, false, true, 200, 0, 1, url, '' FROM ({1}) h",
        numbered_id, history);
}

// The payload is payload(0) with the number written into it.
const auto backlog_messages = fmt::format(
    "INSERT INTO message (app_id, id, event_type, payload) "
    "SELECT $3, {}, 'bench.event', overlay($4::bytea PLACING convert_to(lpad(n::text, {}, '0'), 'UTF8') FROM "
    "{}) "
    "FROM (SELECT n, now() AS at FROM generate_series($1::int8, $2::int8 - 1) AS n) g",
    numbered_id, Event::number_digits, Event::number_position);
const auto backlog_deliveries = fmt::format(
    "INSERT INTO delivery (app_id, endpoint_id, message_id, shard, due_at) "
    "SELECT e.app_id, e.id, {}, e.shard, clock_timestamp() "
    "FROM (SELECT n, now() AS at FROM generate_series($1::int8, $2::int8 - 1) AS n) g, endpoint e WHERE e.id "
    "= $3",
    numbered_id);

// statement(from, to) for each piece of [first, first + count).
template <typename Statement>
void in_pieces(std::int64_t first, std::int64_t count, Statement statement) {
    for (auto from = first; from < first + count; from += rows_a_statement) {
        throw_if_interrupted();
        statement(from, std::min(from + rows_a_statement, first + count));
    }
}

// Runs it on a thread; whatever it throws is thrown by join().
class Work {
public:
    template <typename Body>
    explicit Work(Body body)
        : thread_([this, body] {
              try {
                  body();
              } catch (...) {
                  failure_ = std::current_exception();
              }
          }) {}
    void join() {
        thread_.join();
        if (failure_) std::rethrow_exception(failure_);
    }

private:
    std::exception_ptr failure_;
    std::jthread thread_;
};
}  // namespace

void store_history(const Database& database, std::int64_t messages, std::size_t payload_bytes) {
    database.open().run("SELECT make_partitions(now() - interval '2 days', now())");
    const auto insert = [&](const std::string& sql, bool with_payload) {
        auto session = database.open();
        session.run(quick_session);
        const std::string payload(Event(payload_bytes).payload(0));
        in_pieces(0, messages, [&](std::int64_t from, std::int64_t to) {
            auto params = store::Params::of(from, to, messages);
            if (with_payload) params.add(store::Bytes{payload});
            session.query(sql, params);
        });
    };
    Work attempts([&] { insert(attempt_history(), false); });
    insert(message_history(), true);
    attempts.join();
    auto session = database.open_as_superuser();
    session.run("VACUUM (ANALYZE)");
    session.run("CHECKPOINT");
}

void store_backlog(const Database& database, const std::string& endpoint_url, std::uint64_t first_number,
                   std::int64_t count, std::size_t payload_bytes) {
    auto session = database.open();
    session.run(quick_session);
    const auto endpoint =
        session.query("SELECT id, app_id FROM endpoint WHERE url = $1", store::Params::of(endpoint_url));
    const auto id = endpoint.get<Uuid>(0, 0), application = endpoint.get<Uuid>(0, 1);
    const std::string payload(Event(payload_bytes).payload(0));
    in_pieces(static_cast<std::int64_t>(first_number), count, [&](std::int64_t from, std::int64_t to) {
        session.run("BEGIN");  // both statements have the same now()
        session.query(backlog_messages, store::Params::of(from, to, application, store::Bytes{payload}));
        session.query(backlog_deliveries, store::Params::of(from, to, id));
        session.run("COMMIT");
    });
    auto superuser = database.open_as_superuser();
    superuser.run("ANALYZE delivery, message");
    superuser.run("CHECKPOINT");
}

}  // namespace posthorn::bench
