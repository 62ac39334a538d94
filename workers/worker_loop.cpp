#include "workers/worker_loop.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <spdlog/spdlog.h>

#include "async/task.hpp"
#include "base/crash_point.hpp"

namespace posthorn::workers {

using boost::asio::awaitable;

namespace {
constexpr std::size_t outcomes_that_pause_starting = 8'192;
constexpr std::chrono::milliseconds look_at_lease_again{50};
constexpr std::chrono::milliseconds reconnect_pause{200};
constexpr int rows_ended_a_statement = 500;
constexpr std::int64_t payload_bytes_a_load = 4 * 1024 * 1024;

EndpointConfig plain_config(const store::EndpointRow& row) {
    EndpointConfig config;
    config.id = row.id;
    config.application = row.application;
    config.version = row.version;
    config.url = row.url;
    auto url = domain::parse_endpoint_url(row.url);
    if (auto* parsed = std::get_if<domain::EndpointUrl>(&url))
        config.parsed_url = std::make_shared<const domain::EndpointUrl>(std::move(*parsed));
    config.disabled = row.disabled;
    config.deleted = row.deleted;
    config.ordered = row.ordered;
    config.http2 = row.http2;
    config.rate_limit = row.rate_limit;
    config.failing_since = row.failing_since;
    return config;
}

std::shared_ptr<const EndpointConfig> open_config(const store::EndpointRow& row,
                                                  const domain::SecretBox& box) {
    auto config = plain_config(row);
    // Nothing is sent to a closed one: that it is closed must get through whatever its secrets look like
    // (I6).
    if (!config.open()) return std::make_shared<const EndpointConfig>(std::move(config));
    if (row.filter) {
        auto filter = domain::PayloadFilter::parse(boost::json::parse(*row.filter).as_object());
        if (const auto* error = std::get_if<domain::FilterError>(&filter))
            throw std::runtime_error("its filter is wrong: " + error->rule);
        config.filter = std::get<domain::PayloadFilter>(std::move(filter));
    }
    if (row.retry_schedule) {
        std::vector<std::chrono::milliseconds> delays;
        for (const auto seconds : *row.retry_schedule) delays.emplace_back(std::chrono::seconds(seconds));
        config.retry_schedule.emplace(std::move(delays));
    }
    if (row.timeout_s) config.timeout = std::chrono::seconds(*row.timeout_s);
    for (const auto& secret : row.secrets) {
        auto key = domain::SigningKey::parse(box.open(row.id, secret.sealed).reveal());
        if (const auto* error = std::get_if<domain::SigningKey::Error>(&key))
            throw std::runtime_error(error->rule);
        config.keys.push_back({std::get<domain::SigningKey>(std::move(key)), secret.expires_at});
    }
    if (row.sealed_headers) {
        const auto headers = boost::json::parse(box.open(row.id, *row.sealed_headers).reveal());
        for (const auto& [name, value] : headers.as_object())
            config.headers.emplace_back(name, value.as_string());
    }
    return std::make_shared<const EndpointConfig>(std::move(config));
}
}  // namespace

awaitable<std::vector<std::shared_ptr<const EndpointConfig>>> load_configs(
    store::WorkerSession& session, const domain::SecretBox& box, std::vector<EndpointId> endpoints) {
    std::vector<std::shared_ptr<const EndpointConfig>> configs;
    for (const auto& row : co_await session.load_endpoints(std::move(endpoints))) {
        try {
            configs.push_back(open_config(row, box));
        } catch (const std::exception& error) {
            spdlog::error("endpoint {} can not be delivered to: {}", row.id.str(), error.what());
            auto config = plain_config(row);
            config.unreadable = true;
            configs.push_back(std::make_shared<const EndpointConfig>(std::move(config)));
        }
    }
    co_return configs;
}

WorkerLoop::WorkerLoop(boost::asio::any_io_executor executor, WorkerOptions options,
                       store::WorkerDatabase& database, std::unique_ptr<egress::Transport> transport,
                       const domain::SecretBox& box, const store::DatabaseClock& clock, const Lease& lease)
    : executor_(executor),
      options_(std::move(options)),
      database_(database),
      box_(box),
      clock_(clock),
      lease_(lease),
      dispatcher_(options_.dispatcher, random_u64()),
      transport_(std::move(transport)),
      completion_(executor, database, clock,
                  {.committed =
                       [this](const store::Outcome& outcome, const store::Completion& completion) {
                           dispatcher_.outcome_committed(outcome, completion, clock_.steady_now());
                           poke();
                       },
                   .connection_lost =
                       [this] {
                           dispatcher_.forget_backlog();
                           poke();
                       }}),
      pump_event_(executor),
      fetch_event_(executor),
      mark_event_(executor) {}

WorkerLoop::~WorkerLoop() = default;

awaitable<void> WorkerLoop::run() {
    using namespace boost::asio::experimental::awaitable_operators;
    co_await (part_of_task("deliveries", pump()) && part_of_task("reading deliveries", fetch()) &&
              part_of_task("endpoint states", mark()) && part_of_task("outcomes", completion_.run()));
}

void WorkerLoop::poke() { pump_event_.set(); }

// ---- what the owner of shards and the ways in say

void WorkerLoop::gain(std::vector<store::HeldShard> shards) {
    for (const auto& shard : shards) dispatcher_.gain_shard(shard);
    poke();
}

void WorkerLoop::lose(std::vector<int> shards) {
    for (const int shard : shards) dispatcher_.lose_shard(shard);
    poke();
}

awaitable<bool> WorkerLoop::drain(std::vector<int> shards, std::chrono::milliseconds limit) {
    const auto deadline = clock_.steady_now() + limit;
    for (const int shard : shards) dispatcher_.drain_shard(shard);
    poke();
    const auto all_drained = [&] {
        return std::all_of(shards.begin(), shards.end(),
                           [&](int shard) { return dispatcher_.drained(shard); });
    };
    while (!all_drained()) {
        if (clock_.steady_now() >= deadline) co_return false;
        co_await sleep_for(std::chrono::milliseconds(5));
    }
    co_return true;
}

void WorkerLoop::apply(const std::vector<std::shared_ptr<const EndpointConfig>>& configs) {
    for (const auto& config : configs) {
        dispatcher_.apply_config(config);
        if (!config->open()) transport_->close(request_group(config->id));
    }
    poke();
}

void WorkerLoop::wake(int shard, std::optional<EndpointId> endpoint) {
    dispatcher_.wake(shard, endpoint);
    poke();
}

void WorkerLoop::list_again() {
    dispatcher_.list_again();
    poke();
}

void WorkerLoop::list_in_turn() {
    dispatcher_.list_in_turn(clock_.steady_now());
    dispatcher_.sweep_idle_lanes(clock_.steady_now());
    poke();
}

void WorkerLoop::announce(std::uint64_t batch, const std::vector<MessageId>& messages) {
    dispatcher_.announce(batch, messages);
}

std::vector<std::pair<int, EndpointId>> WorkerLoop::hand_off(std::uint64_t batch,
                                                             std::vector<HandedDelivery> deliveries) {
    auto foreign = dispatcher_.hand_off(batch, std::move(deliveries));
    poke();
    return foreign;
}

void WorkerLoop::abandon(std::uint64_t batch, bool unknown) {
    dispatcher_.abandon(batch, unknown);
    poke();
}

// ---- starting

awaitable<void> WorkerLoop::pump() {
    while (true) {
        const bool held_back =
            !lease_.valid(clock_.steady_now()) || completion_.waiting() > outcomes_that_pause_starting;
        if (!held_back) start_attempts();
        for (auto& outcome : dispatcher_.take_outcomes()) completion_.add(std::move(outcome));
        if (auto marks = dispatcher_.take_marks(); !marks.empty()) {
            marks_.add(std::move(marks));
            mark_event_.set();
        }
        fetch_event_.set();
        auto next = dispatcher_.next_timer();
        if (held_back) next = clock_.steady_now() + look_at_lease_again;
        co_await pump_event_.wait(next);
    }
}

void WorkerLoop::start_attempts() {
    for (auto& start : dispatcher_.take_starts(clock_.steady_now(), clock_.system_now())) {
        boost::asio::co_spawn(executor_, attempt(std::move(start)), [](std::exception_ptr failure) {
            if (failure) std::rethrow_exception(failure);
        });
    }
}

awaitable<void> WorkerLoop::attempt(Start start) {
    if (!is_wanted(start)) {
        dispatcher_.attempt_filtered(start);
        poke();
        co_return;
    }
    const auto began = clock_.system_now();
    auto request = make_request(start, options_.attempt, began);
    request.may_start = [this, &start] {
        return lease_.valid(clock_.steady_now()) && dispatcher_.wanted(start);
    };
    const auto result = co_await transport_->post(std::move(request));
    crash_point(CrashPoint::response_received);
    if (result.failure == egress::Failure::not_started) {
        dispatcher_.attempt_not_started(start);
    } else {
        const auto wall = clock_.system_now();
        const auto verdict = judge_result(result, wall);
        auto outcome = dispatcher_.attempt_ended(start, verdict, clock_.steady_now(), wall);
        outcome.record = make_record(start, result, verdict, began);
        completion_.add(std::move(outcome), start.config->ordered);
        crash_point(CrashPoint::outcome_queued);
    }
    poke();
}

// ---- reading

awaitable<void> WorkerLoop::fetch() {
    std::unique_ptr<store::WorkerSession> session;
    while (true) {
        auto work = dispatcher_.take_fetch_work(clock_.steady_now(), clock_.system_now());
        if (work.empty()) {
            co_await fetch_event_.wait();
            continue;
        }
        bool failed = false;
        try {
            if (!session || !session->usable())
                session = co_await database_.open(executor_, store::SessionUse::fetch);
            co_await fetch_once(*session, work);
        } catch (const store::DatabaseError& error) {
            spdlog::warn("deliveries wait for the database: {}", error.what());
            failed = true;
        }
        if (failed) {
            dispatcher_.fetch_failed(work);
            co_await sleep_for(reconnect_pause);
        }
        poke();
    }
}

// Each part is taken off `work` when it is answered: what is left after an exception has failed.
awaitable<void> WorkerLoop::fetch_once(store::WorkerSession& session, FetchWork& work) {
    if (!work.endpoints_to_load.empty()) {
        const auto configs = co_await load_configs(session, box_, work.endpoints_to_load);
        dispatcher_.loaded(std::exchange(work.endpoints_to_load, {}), configs);
    }
    if (!work.payloads_to_load.empty()) co_await load_missing_payloads(session, work.payloads_to_load);
    if (!work.probes.empty() || !work.ordered_probes.empty()) co_await probe(session, work);
    while (!work.endings.empty()) {
        const auto& ending = work.endings.back();
        std::optional<domain::DeadLetterReason> reason;
        if (!ending.deleted) reason = domain::DeadLetterReason::endpoint_disabled;
        crash_point(CrashPoint::deliveries_before_ending);
        const auto ended = co_await session.end_deliveries_of_endpoint(
            ending.shard, ending.application, ending.endpoint, reason, ending.except, rows_ended_a_statement);
        crash_point(CrashPoint::deliveries_ended);
        dispatcher_.deliveries_ended(ending.endpoint, ended < rows_ended_a_statement);
        work.endings.pop_back();
    }
    if (work.shard_to_list) {
        const auto begun = clock_.steady_now();
        const auto found = co_await session.list_backlogged_endpoints({*work.shard_to_list});
        const auto now = clock_.steady_now();
        dispatcher_.listed(*work.shard_to_list, found, now - begun, now);
        work.shard_to_list.reset();
    }
}

awaitable<void> WorkerLoop::load_missing_payloads(store::WorkerSession& session,
                                                  std::vector<Delivery>& wanted) {
    std::vector<ApplicationId> applications;
    std::vector<MessageId> messages;
    std::unordered_map<MessageId, store::PayloadRow> rows;
    for (const auto& delivery : wanted) {
        if (!rows.try_emplace(delivery.message).second) continue;  // for several endpoints: read once
        applications.push_back(delivery.application);
        messages.push_back(delivery.message);
    }
    for (auto& row :
         co_await session.load_payloads(std::move(applications), std::move(messages), payload_bytes_a_load))
        rows[row.message] = std::move(row);
    std::vector<Delivery> loaded, later;
    for (auto& delivery : std::exchange(wanted, {})) {
        const auto& row = rows[delivery.message];
        delivery.payload = row.payload;
        delivery.extras = row.extras;
        (row.later ? later : loaded).push_back(std::move(delivery));
    }
    dispatcher_.load_payloads_later(std::move(later));
    dispatcher_.payloads_loaded(std::move(loaded), clock_.system_now());
    poke();
}

awaitable<void> WorkerLoop::probe(store::WorkerSession& session, FetchWork& work) {
    std::vector<store::DeliveryRow> rows;
    if (!work.probes.empty()) rows = co_await session.probe_endpoints(work.probes);
    if (!work.ordered_probes.empty()) {
        const auto heads = co_await session.probe_ordered_endpoints(work.ordered_probes);
        rows.insert(rows.end(), heads.begin(), heads.end());
    }
    dispatcher_.probed(std::exchange(work.probes, {}), std::exchange(work.ordered_probes, {}), rows,
                       clock_.steady_now(), clock_.system_now());
    poke();
}

// ---- what outcomes say about endpoints

awaitable<void> WorkerLoop::mark() {
    std::unique_ptr<store::WorkerSession> session;
    while (true) {
        if (marks_.empty()) {
            co_await mark_event_.wait();
            continue;
        }
        auto marks = std::exchange(marks_, {});
        bool failed = false;
        try {
            if (!session || !session->usable())
                session = co_await database_.open(executor_, store::SessionUse::marks);
            co_await mark_once(*session, marks);
        } catch (const store::DatabaseError& error) {
            spdlog::warn("endpoint states wait for the database: {}", error.what());
            failed = true;
        }
        if (!failed) continue;
        // All of it once more, which changes nothing a second time, and then what has come meanwhile.
        marks.add(std::exchange(marks_, {}));
        marks_ = std::move(marks);
        co_await sleep_for(reconnect_pause);
    }
}

awaitable<void> WorkerLoop::mark_once(store::WorkerSession& session, const EndpointMarks& marks) {
    const auto list = [](const std::set<EndpointId>& set) { return std::vector(set.begin(), set.end()); };
    if (!marks.recovered.empty()) co_await session.mark_endpoints_recovered(list(marks.recovered));
    if (!marks.failing.empty()) co_await session.mark_endpoints_failing(list(marks.failing));
    if (!marks.circuits.empty()) co_await session.mark_circuits(marks.circuits);
    if (!marks.gone.empty()) crash_point(CrashPoint::endpoint_before_disabling);
    for (const auto endpoint : marks.gone) co_await session.disable_endpoint(endpoint, "gone", std::nullopt);
    if (!marks.gone.empty()) crash_point(CrashPoint::endpoint_disabled);
    const auto limit = std::chrono::duration_cast<std::chrono::seconds>(options_.dispatcher.disable_after);
    for (const auto endpoint : marks.failed_too_long) {
        if (co_await session.disable_endpoint(endpoint, "failing", limit)) continue;
        // It was changed in between: what it is now decides.
        for (const auto& config : co_await load_configs(session, box_, {endpoint}))
            dispatcher_.apply_config(config);
    }
}

}  // namespace posthorn::workers
