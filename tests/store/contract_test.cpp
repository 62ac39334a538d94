// One contract for the database of the simulation (tests/sim/database.hpp) and for PostgreSQL: the same
// statements, in the same order, answer the same.
#include <fmt/format.h>
#include <map>
#include <sstream>

#include "base/random.hpp"
#include "domain/shard.hpp"
#include "sim/database.hpp"
#include "store/worker_session.hpp"
#include "support/catch.hpp"
#include "support/store_fixture.hpp"

using namespace posthorn;
using posthorn::test::StoreFixture;
using store::HeldShard;
using store::Outcome;

namespace {

constexpr std::chrono::seconds due_tolerance{20};  // what a statement may take on a busy machine

// The run ids and places of rows differ between the two; of each row they are known as a pair.
class Contract : public StoreFixture {
public:
    explicit Contract(std::uint64_t seed) : random_(seed), memory_(clock_) {
        store::PostgresWorkerDatabase database(connect_options());
        session_ = run(database.open(io().get_executor(), store::SessionUse::fetch));
        writer_ = open(true);
        for (int i = 0; i < 3; ++i) add_endpoint(i == 0);
        for (int i = 0; i < 2; ++i) {
            processes_.push_back(ProcessId::make(clock_.system_now()));
            run(session_->register_process(processes_.back(), true, "here"));
            memory_.register_process(processes_.back(), true);
        }
    }

    void step() {
        switch (draw(13)) {
            case 0:
                accept();
                break;
            case 1:
                probe();
                break;
            case 2:
                probe_ordered();
                break;
            case 3:
                list();
                break;
            case 4:
                payloads();
                break;
            case 5:
                endpoints();
                break;
            case 6:
            case 7:
                complete();
                break;
            case 8:
                complete_plain();
                break;
            case 9:
                take();
                break;
            case 10:
                leases();
                break;
            case 11:
                marks();
                break;
            default:
                end_or_change();
        }
    }
    void compare_all() {
        CHECK(sql("SELECT string_agg(concat_ws(' ', endpoint_id, message_id, attempt, manual, ordered), "
                  "E'\\n' ORDER BY endpoint_id, "
                  "message_id) FROM delivery") == joined([&](auto add) {
                  for (const auto& [key, one] : memory_.deliveries())
                      add(fmt::format("{} {} {} {} {}", to_string(key.first.value),
                                      to_string(key.second.value), one.row.attempt, letter(one.row.manual),
                                      letter(one.ordered)));
              }));
        CHECK(sql("SELECT string_agg(concat_ws(' ', endpoint_id, message_id, reason, attempts), E'\\n' ORDER "
                  "BY endpoint_id, message_id) "
                  "FROM dead_letter") == joined([&](auto add) {
                  for (const auto& [key, one] : memory_.dead_letters())
                      add(fmt::format("{} {} {} {}", to_string(key.first.value), to_string(key.second.value),
                                      static_cast<int>(one.reason), one.attempts));
              }));
        CHECK(sql("SELECT string_agg(concat_ws(' ', id, attempt, succeeded, status_code), E'\\n' ORDER BY "
                  "id) FROM attempt") == joined([&](auto add) {
                  for (const auto& [id, one] : memory_.attempts())
                      add(fmt::format("{} {} {} {}", to_string(id.value), one.attempt, letter(one.succeeded),
                                      one.status));
              }));
        leases();
        endpoints();
    }

private:
    struct Rows {  // of one delivery, in both
        std::int64_t real = 0, simulated = 0;
        store::RowPlace real_place{}, simulated_place{};
        int attempt = 1;
        bool manual = false;
    };
    using Key = sim::Database::DeliveryKey;

    std::uint64_t draw(std::uint64_t below) { return random_.next() % below; }
    static char letter(bool value) { return value ? 't' : 'f'; }
    template <class Each>
    static std::string joined(Each each) {
        std::string text;
        each([&](const std::string& line) { text += (text.empty() ? "" : "\n") + line; });
        return text;
    }
    EndpointId any_endpoint() { return endpoints_[draw(endpoints_.size())]; }
    ProcessId any_process() { return processes_[draw(processes_.size())]; }

    void add_endpoint(bool ordered) {
        store::EndpointRow row;
        row.id = EndpointId::make(clock_.system_now());
        row.application = application_;
        row.url = "http://127.0.0.1/";
        row.ordered = ordered;
        row.shard = domain::shard_of(row.id);
        sql(
            fmt::format("INSERT INTO endpoint (id, app_id, org_id, url, shard, ordered) VALUES ('{}', '{}', "
                        "'{}', '{}', {}, {})",
                        to_string(row.id.value), to_string(application_.value), to_string(Uuid{}), row.url,
                        row.shard, ordered));
        endpoints_.push_back(row.id);
        memory_.add_endpoint(row);
    }

    // ---- ingest

    void accept() {
        std::vector<store::NewMessage> messages;
        for (auto left = 1 + draw(4); left > 0; --left) {
            store::NewMessage message;
            message.id = MessageId::make(clock_.system_now());
            message.application = application_;
            message.event_type = "a.b";
            message.body_hash = "h";
            message.payload = std::make_shared<const std::string>(fmt::format("{{\"n\":{}}}", draw(1'000)));
            if (draw(3) == 0) message.idempotency_key = fmt::format("key-{}", draw(10));
            if (draw(5) == 0)
                message.extras = domain::make_extras(
                    {.headers = {}, .raw = false, .deliver_at = clock_.system_now() + std::chrono::hours(1)});
            messages_.push_back(message.id);
            messages.push_back(std::move(message));
        }
        if (draw(6) == 0 && !last_batch_.empty()) messages = last_batch_;  // its commit was in doubt
        std::vector<const store::NewMessage*> pointers;
        for (const auto& one : messages) pointers.push_back(&one);
        const auto real = run(store::accept_messages(*writer_, pointers, std::chrono::hours(1), true));
        const auto simulated = memory_.accept(messages);
        CHECK(real.messages == simulated.messages);
        REQUIRE(real.deliveries.size() == simulated.deliveries.size());
        std::map<Key, std::pair<const store::NewDelivery*, const store::NewDelivery*>> pairs;
        for (const auto& one : real.deliveries) pairs[{one.endpoint, one.message}].first = &one;
        for (const auto& one : simulated.deliveries) pairs[{one.endpoint, one.message}].second = &one;
        for (const auto& [key, pair] : pairs) {
            REQUIRE((pair.first != nullptr && pair.second != nullptr));
            CHECK(pair.first->shard == pair.second->shard);
            CHECK(pair.first->from_table == pair.second->from_table);
            rows_[key] = {
                pair.first->run_id, pair.second->run_id, pair.first->place, pair.second->place, 1, false};
        }
        last_batch_ = std::move(messages);
    }

    // ---- reading

    void compare_rows(const std::vector<store::DeliveryRow>& real,
                      const std::vector<store::DeliveryRow>& simulated) {
        REQUIRE(real.size() == simulated.size());
        for (std::size_t i = 0; i < real.size(); ++i) {
            CHECK(real[i].application == simulated[i].application);
            CHECK(real[i].endpoint == simulated[i].endpoint);
            CHECK(real[i].message == simulated[i].message);
            CHECK(real[i].attempt == simulated[i].attempt);
            CHECK(real[i].manual == simulated[i].manual);
            const auto difference = real[i].due_in - simulated[i].due_in;
            CHECK(std::chrono::abs(difference) < due_tolerance);
            rows_[{real[i].endpoint, real[i].message}] = {real[i].run_id,  simulated[i].run_id,
                                                          real[i].place,   simulated[i].place,
                                                          real[i].attempt, real[i].manual};
        }
    }
    void probe() {
        std::vector<store::ProbeTarget> targets;
        for (const auto endpoint : endpoints_)
            targets.push_back({domain::shard_of(endpoint), endpoint, 1 + static_cast<int>(draw(20)),
                               clock_.system_now() - std::chrono::hours(draw(2))});
        compare_rows(run(session_->probe_endpoints(targets)), memory_.probe_endpoints(targets));
    }
    void probe_ordered() {
        const std::vector ordered{endpoints_[0], endpoints_[1]};  // the second is not: its rows have no mark
        compare_rows(run(session_->probe_ordered_endpoints(ordered)),
                     memory_.probe_ordered_endpoints(ordered));
    }
    void list() {
        std::vector<int> shards;
        for (int shard = 0; shard < store::shard_count; ++shard)
            if (draw(4) != 0) shards.push_back(shard);
        const auto names = [](const std::vector<store::BackloggedEndpoint>& list) {
            std::set<std::pair<int, EndpointId>> set;
            for (const auto& one : list) set.emplace(one.shard, one.endpoint);
            return set;
        };
        CHECK(names(run(session_->list_backlogged_endpoints(shards))) ==
              names(memory_.list_backlogged_endpoints(shards)));
    }
    void payloads() {
        if (messages_.empty()) return;
        std::vector<MessageId> wanted;
        for (std::uint64_t i = 0; i < 5; ++i) wanted.push_back(messages_[draw(messages_.size())]);
        std::sort(wanted.begin(), wanted.end());
        wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
        wanted.push_back(MessageId::make(clock_.system_now()));  // unknown
        const std::vector<ApplicationId> applications(wanted.size(), application_);
        const auto limit = static_cast<std::int64_t>(draw(40));
        const auto real = run(session_->load_payloads(applications, wanted, limit));
        const auto simulated = memory_.load_payloads(applications, wanted, limit);
        REQUIRE(real.size() == simulated.size());
        for (std::size_t i = 0; i < real.size(); ++i) {
            CHECK(real[i].message == simulated[i].message);
            CHECK(real[i].later == simulated[i].later);
            CHECK((real[i].payload != nullptr) == (simulated[i].payload != nullptr));
            if (real[i].payload && simulated[i].payload) CHECK(*real[i].payload == *simulated[i].payload);
            CHECK((real[i].extras != nullptr) == (simulated[i].extras != nullptr));
        }
    }
    void endpoints() {
        auto asked = endpoints_;
        asked.push_back(EndpointId::make(clock_.system_now()));  // unknown
        std::map<EndpointId, store::EndpointRow> real, simulated;
        for (auto& row : run(session_->load_endpoints(asked))) real[row.id] = row;
        for (auto& row : memory_.load_endpoints(asked)) simulated[row.id] = row;
        REQUIRE(real.size() == simulated.size());
        for (const auto& [id, row] : real) {
            const auto& other = simulated.at(id);
            CHECK(row.application == other.application);
            CHECK(row.shard == other.shard);
            CHECK(row.version == other.version);
            CHECK(row.disabled == other.disabled);
            CHECK(row.ordered == other.ordered);
            CHECK(row.failing_since.has_value() == other.failing_since.has_value());
        }
    }

    // ---- outcomes

    // Of a row that is or was there, by the right owner or not, about the right run and attempt or not: as
    // each side knows it.
    std::optional<std::pair<Outcome, Outcome>> any_outcome(bool plain) {
        if (rows_.empty()) return std::nullopt;
        auto at = rows_.begin();
        std::advance(at, static_cast<std::ptrdiff_t>(draw(rows_.size())));
        const auto& [key, rows] = *at;
        const int shard = domain::shard_of(key.first);
        Outcome real;
        real.shard = {shard,
                      memory_.leases()[static_cast<std::size_t>(shard)].epoch - (draw(5) == 0 ? 1 : 0)};
        real.application = application_;
        real.endpoint = key.first;
        real.message = key.second;
        real.attempt = rows.attempt + (draw(8) == 0 ? 1 : 0);
        real.manual = rows.manual;
        real.verdict = plain ? Outcome::Verdict::delivered : static_cast<Outcome::Verdict>(draw(5));
        if (real.verdict == Outcome::Verdict::dead_letter) real.reason = domain::DeadLetterReason::exhausted;
        if (real.verdict == Outcome::Verdict::retry)
            real.delay = std::chrono::hours(draw(3) * (1 + draw(1'000)));
        if (plain || draw(3) != 0) {
            const bool succeeded = real.verdict == Outcome::Verdict::delivered;
            real.record = store::AttemptRecord{.id = AttemptId::make(clock_.system_now()),
                                               .succeeded = succeeded,
                                               .status = succeeded ? 200 : 500,
                                               .url = "http://127.0.0.1/",
                                               .response = "ok"};
        }
        Outcome simulated = real;
        real.run_id = rows.real;
        real.place = rows.real_place;
        simulated.run_id = rows.simulated;
        simulated.place = rows.simulated_place;
        return std::pair(real, simulated);
    }
    std::pair<std::vector<Outcome>, std::vector<Outcome>> outcomes(bool plain) {
        std::pair<std::vector<Outcome>, std::vector<Outcome>> batch;
        std::set<Key> used;
        for (std::uint64_t i = 0; i < 4; ++i) {
            const auto one = any_outcome(plain);
            if (!one || !used.insert({one->first.endpoint, one->first.message}).second) continue;
            batch.first.push_back(one->first);
            batch.second.push_back(one->second);
        }
        return batch;
    }
    static void compare(const std::vector<store::Completion>& real,
                        const std::vector<store::Completion>& simulated) {
        REQUIRE(real.size() == simulated.size());
        for (std::size_t i = 0; i < real.size(); ++i) {
            CHECK(real[i].applied == simulated[i].applied);
            CHECK(std::chrono::abs(real[i].due_in - simulated[i].due_in) < due_tolerance);
        }
    }
    void complete() {
        const auto [real, simulated] = outcomes(false);
        compare(run(session_->complete_deliveries(real)), memory_.complete_deliveries(simulated));
    }
    void complete_plain() {
        const auto [real, simulated] = outcomes(true);
        if (real.empty()) return;
        compare(run(session_->complete_plain_deliveries(real)), memory_.complete_plain_deliveries(simulated));
    }
    void end_or_change() {
        const auto endpoint = any_endpoint();
        const int shard = domain::shard_of(endpoint);
        if (draw(4) == 0) {
            const std::string reason = draw(2) == 0 ? "gone" : "failing";
            std::optional<std::chrono::seconds> failing_for;
            if (reason == "failing") failing_for = std::chrono::hours(1);
            CHECK(run(session_->disable_endpoint(endpoint, reason, failing_for)) ==
                  memory_.disable_endpoint(endpoint, reason, failing_for));
            return;
        }
        const HeldShard held{
            shard, memory_.leases()[static_cast<std::size_t>(shard)].epoch - (draw(4) == 0 ? 1 : 0)};
        std::optional<domain::DeadLetterReason> reason;
        if (draw(2) == 0) reason = domain::DeadLetterReason::endpoint_disabled;
        std::vector<MessageId> except;
        if (!messages_.empty()) except.push_back(messages_[draw(messages_.size())]);
        CHECK(run(session_->end_deliveries_of_endpoint(held, application_, endpoint, reason, except, 2)) ==
              memory_.end_deliveries_of_endpoint(held, application_, endpoint, reason, except, 2));
    }
    void marks() {
        const std::vector some{any_endpoint()};
        if (draw(2) == 0) {
            run(session_->mark_endpoints_failing(some));
            memory_.mark_endpoints_failing(some);
        } else {
            run(session_->mark_endpoints_recovered(some));
            memory_.mark_endpoints_recovered(some);
        }
    }

    // ---- ownership

    void take() {
        const auto self = any_process();
        std::vector<HeldShard> seen;
        for (int shard = 0; shard < store::shard_count; shard += 1 + static_cast<int>(draw(8)))
            seen.push_back(
                {shard, memory_.leases()[static_cast<std::size_t>(shard)].epoch - (draw(5) == 0 ? 1 : 0)});
        std::vector<store::DeadOwner> dead;
        for (const auto& row : memory_.read_processes())
            if (draw(2) == 0) dead.push_back({row.id, row.counter - static_cast<std::int64_t>(draw(2))});
        switch (draw(5)) {
            case 0:
                run(session_->release_shards(self, seen));
                memory_.release_shards(self, seen);
                return;
            case 1:
                CHECK(run(session_->renew_process(self)) == memory_.renew_process(self));
                return;
            case 2:
                if (draw(4) != 0) return;
                run(session_->unregister_process(self));
                memory_.unregister_process(self);
                return;
            default:
                break;
        }
        auto real = run(session_->take_shards(self, seen, dead));
        auto simulated = memory_.take_shards(self, seen, dead);
        std::sort(real.begin(), real.end());
        std::sort(simulated.begin(), simulated.end());
        CHECK(real == simulated);
    }
    void leases() {
        const auto real = run(session_->read_leases());
        const auto simulated = memory_.read_leases();
        REQUIRE(real.size() == simulated.size());
        std::vector<HeldShard> held;
        for (std::size_t i = 0; i < real.size(); ++i) {
            CHECK((real[i].shard == simulated[i].shard && real[i].epoch == simulated[i].epoch &&
                   real[i].owner == simulated[i].owner));
            if (draw(3) == 0) held.push_back({real[i].shard, real[i].epoch});
        }
        std::map<ProcessId, std::int64_t> counters, others;
        for (const auto& row : run(session_->read_processes())) counters[row.id] = row.counter;
        for (const auto& row : memory_.read_processes()) others[row.id] = row.counter;
        CHECK(counters == others);
        const auto changes = run(session_->unacknowledged_changes(held));
        const auto names = [](const std::vector<store::EndpointChange>& list) {
            std::set<std::tuple<EndpointId, int, std::int64_t>> set;
            for (const auto& one : list) set.emplace(one.endpoint, one.shard, one.version);
            return set;
        };
        CHECK(names(changes) == names(memory_.unacknowledged_changes(held)));
        if (draw(2) == 0) return;
        run(session_->acknowledge_changes(changes, held));
        memory_.acknowledge_changes(changes, held);
    }

    Random random_;
    RealClock clock_;
    sim::Database memory_;
    ApplicationId application_ = make_application();
    std::unique_ptr<store::WorkerSession> session_;
    std::unique_ptr<store::Connection> writer_;
    std::vector<EndpointId> endpoints_;
    std::vector<ProcessId> processes_;
    std::vector<MessageId> messages_;
    std::vector<store::NewMessage> last_batch_;
    std::map<Key, Rows> rows_;  // as they were last seen
};

}  // namespace

TEST_CASE("the simulation's database answers as PostgreSQL does") {
    const auto seed = GENERATE(1, 2, 3, 4);
    INFO("seed " << seed);
    Contract contract(static_cast<std::uint64_t>(seed));
    for (int step = 0; step < 250; ++step) {
        INFO("step " << step);
        contract.step();
    }
    contract.compare_all();
}
