#include "workers/dispatcher.hpp"

#include "support/catch.hpp"

using namespace posthorn;
using workers::Dispatcher;
using workers::EndpointConfig;
using workers::HandedDelivery;
using workers::Start;
using Kind = domain::Verdict::Kind;
using Verdict = store::Outcome::Verdict;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr store::HeldShard shard{3, 10};

EndpointId endpoint(std::uint8_t number) {
    EndpointId id;
    id.value.bytes[15] = number;
    return id;
}

// A dispatcher and the hands that serve it: nothing happens by itself.
struct Bench {
    explicit Bench(workers::DispatcherOptions options = {})
        : dispatcher(with_defaults(std::move(options)), 42) {
        dispatcher.gain_shard(shard);
        answer_lists();
    }
    static workers::DispatcherOptions with_defaults(workers::DispatcherOptions options) {
        if (options.schedule.attempts() == 1)
            options.schedule = domain::RetrySchedule({seconds(5), seconds(60)});
        return options;
    }

    std::shared_ptr<EndpointConfig> config(EndpointId id, std::int64_t version = 1) const {
        auto made = std::make_shared<EndpointConfig>();
        made->id = id;
        made->version = version;
        return made;
    }
    void load(EndpointId id) { dispatcher.loaded({id}, {config(id)}); }
    void load(std::shared_ptr<const EndpointConfig> made) { dispatcher.loaded({made->id}, {made}); }
    void answer_lists(const std::vector<store::BackloggedEndpoint>& found = {}) {
        if (const auto listing = fetch_work().shard_to_list) answer_list(*listing, found);
    }
    void answer_list(int number, const std::vector<store::BackloggedEndpoint>& found, Duration took = {}) {
        dispatcher.listed(number, found, took, clock.steady_now());
    }
    workers::FetchWork fetch_work() {
        return dispatcher.take_fetch_work(clock.steady_now(), clock.system_now());
    }
    std::vector<Start> starts() {
        std::vector<Start> all;
        while (true) {
            auto some = dispatcher.take_starts(clock.steady_now(), clock.system_now());
            if (some.empty()) return all;
            all.insert(all.end(), some.begin(), some.end());
        }
    }
    MessageId message() { return MessageId::make(clock.system_now()); }
    HandedDelivery handed(EndpointId to, bool from_table = false) {
        HandedDelivery made;
        made.delivery.endpoint = to;
        made.delivery.message = message();
        made.delivery.run_id = ++last_run;
        made.delivery.payload = std::make_shared<const std::string>("{}");
        made.shard = shard.shard;
        made.from_table = from_table;
        return made;
    }
    void hand_off(std::vector<HandedDelivery> list) {
        const auto batch = ++last_batch;
        std::vector<MessageId> ids;
        for (const auto& one : list) ids.push_back(one.delivery.message);
        dispatcher.announce(batch, ids);
        dispatcher.hand_off(batch, std::move(list));
    }
    store::DeliveryRow row(EndpointId of, milliseconds due_in = {}) {
        return {ApplicationId{}, of, message(), 1, false, ++last_run, due_in};
    }
    void answer_probe(const workers::FetchWork& work, const std::vector<store::DeliveryRow>& rows) {
        dispatcher.probed(work.probes, work.ordered_probes, rows, clock.steady_now(), clock.system_now());
    }
    store::Outcome end(const Start& start, Kind kind) {
        return dispatcher.attempt_ended(start, {kind, {}}, clock.steady_now(), clock.system_now());
    }
    void commit(const store::Outcome& outcome) {
        dispatcher.outcome_committed(outcome, {true, outcome.delay}, clock.steady_now());
    }
    // Payloads are asked for where they are missing.
    void answer_payloads() {
        auto work = fetch_work();
        for (auto& delivery : work.payloads_to_load)
            delivery.payload = std::make_shared<const std::string>("{}");
        dispatcher.payloads_loaded(work.payloads_to_load, clock.system_now());
    }

    ManualClock clock{SystemTime(std::chrono::hours(24 * 365 * 56))};
    Dispatcher dispatcher;
    std::int64_t last_run = 0;
    std::uint64_t last_batch = 0;
};

workers::DispatcherOptions waiting_at_most(std::size_t deliveries) {
    workers::DispatcherOptions options;
    options.waiting_deliveries = deliveries;
    return options;
}

}  // namespace

TEST_CASE("a handed delivery starts as soon as its endpoint is known") {
    Bench bench;
    bench.hand_off({bench.handed(endpoint(1))});
    CHECK(bench.starts().empty());
    CHECK(bench.fetch_work().endpoints_to_load == std::vector{endpoint(1)});
    bench.load(endpoint(1));
    const auto starts = bench.starts();
    REQUIRE(starts.size() == 1);
    CHECK(starts[0].shard == shard);
    CHECK(bench.dispatcher.in_flight() == 1);
}

TEST_CASE("what a fetch sees of an announced batch is left to the hand-off: it starts once") {
    Bench bench;
    bench.hand_off({bench.handed(endpoint(1))});
    bench.starts();
    bench.fetch_work();
    bench.load(endpoint(1));
    for (const auto& start : bench.starts()) bench.commit(bench.end(start, Kind::delivered));

    auto second = bench.handed(endpoint(1));
    bench.dispatcher.announce(77, std::vector{second.delivery.message});
    bench.dispatcher.wake(shard.shard, endpoint(1));
    const auto work = bench.fetch_work();
    REQUIRE(work.probes.size() == 1);
    SECTION("the fetch comes back before the hand-off") {
        bench.answer_probe(
            work,
            {{ApplicationId{}, endpoint(1), second.delivery.message, 1, false, second.delivery.run_id, {}}});
        CHECK(bench.starts().empty());
        bench.dispatcher.hand_off(77, {second});
    }
    SECTION("the hand-off comes first: the probe that was under way is repeated") {
        bench.dispatcher.hand_off(77, {second});
        bench.answer_probe(work, {});
        bench.answer_probe(
            bench.fetch_work(),
            {{ApplicationId{}, endpoint(1), second.delivery.message, 1, false, second.delivery.run_id, {}}});
        bench.starts();
        bench.answer_payloads();
    }
    CHECK(bench.starts().size() == 1);
}

TEST_CASE("a commit of unknown fate is looked for in the tables") {
    Bench bench;
    bench.dispatcher.announce(5, std::vector{bench.message()});
    SECTION("aborted: nothing to look for") {
        bench.dispatcher.abandon(5, false);
        CHECK_FALSE(bench.fetch_work().shard_to_list);
    }
    SECTION("unknown: everything is listed again") {
        bench.dispatcher.abandon(5, true);
        CHECK(bench.fetch_work().shard_to_list == shard.shard);
    }
}

TEST_CASE("shards are listed one at a time, in turn") {
    Bench bench;
    bench.dispatcher.gain_shard({shard.shard + 1, 1});
    bench.dispatcher.list_again();
    CHECK(bench.fetch_work().shard_to_list == shard.shard + 1);
    bench.dispatcher.list_again();
    CHECK(bench.fetch_work().shard_to_list == shard.shard);
    CHECK(bench.fetch_work().shard_to_list == shard.shard + 1);
    CHECK_FALSE(bench.fetch_work().shard_to_list);
}

TEST_CASE("a shard whose listing takes long is listed less often, but for a reason") {
    Bench bench;
    const auto is_listed = [&](Duration took) {
        bench.dispatcher.list_in_turn(bench.clock.steady_now());
        const auto listing = bench.fetch_work().shard_to_list;
        if (listing) bench.answer_list(*listing, {}, took);
        return listing.has_value();
    };
    CHECK(is_listed(milliseconds(1)));
    bench.clock.advance(seconds(30));
    CHECK(is_listed(seconds(1)));
    bench.clock.advance(seconds(19));
    CHECK_FALSE(is_listed(seconds(1)));
    bench.clock.advance(seconds(1));
    CHECK(is_listed(seconds(1)));  // slow once was no reason to rest for long
    bench.clock.advance(seconds(39));
    CHECK_FALSE(is_listed(seconds(1)));
    bench.dispatcher.list_again();
    CHECK(is_listed(milliseconds(1)));
    bench.clock.advance(seconds(30));
    CHECK(is_listed(milliseconds(1)));
}

TEST_CASE("a fetch whose snapshot is older than a completion does not bring the delivery back") {
    Bench bench;
    bench.load(endpoint(1));
    bench.dispatcher.wake(shard.shard, endpoint(1));
    bench.load(endpoint(1));
    const auto row = bench.row(endpoint(1));
    bench.answer_probe(bench.fetch_work(), {row});
    bench.starts();
    bench.answer_payloads();
    const auto starts = bench.starts();
    REQUIRE(starts.size() == 1);
    bench.dispatcher.wake(shard.shard, endpoint(1));
    const auto probe = bench.fetch_work();  // its snapshot still holds the row
    REQUIRE(probe.probes.size() == 1);
    bench.commit(bench.end(starts[0], Kind::delivered));
    bench.answer_probe(probe, {row});
    CHECK(bench.starts().empty());
    CHECK(bench.fetch_work().payloads_to_load.empty());
}

TEST_CASE("a delivery is remembered until its outcome is committed") {
    Bench bench;
    bench.dispatcher.wake(shard.shard, endpoint(1));
    bench.load(endpoint(1));
    const auto row = bench.row(endpoint(1));
    bench.answer_probe(bench.fetch_work(), {row});
    bench.starts();
    bench.answer_payloads();
    const auto starts = bench.starts();
    REQUIRE(starts.size() == 1);
    const auto outcome = bench.end(starts[0], Kind::delivered);
    bench.dispatcher.wake(shard.shard, endpoint(1));
    bench.answer_probe(bench.fetch_work(), {row});
    bench.starts();
    CHECK(bench.fetch_work().payloads_to_load.empty());
    bench.commit(outcome);
    CHECK(bench.dispatcher.in_flight() == 0);
}

TEST_CASE("a wake-up during a fetch causes another") {
    Bench bench;
    bench.dispatcher.wake(shard.shard, endpoint(1));
    bench.load(endpoint(1));
    const auto first = bench.fetch_work();
    REQUIRE(first.probes.size() == 1);
    bench.dispatcher.wake(shard.shard, endpoint(1));
    CHECK(bench.fetch_work().probes.empty());
    bench.answer_probe(first, {});
    CHECK(bench.fetch_work().probes.size() == 1);
}

TEST_CASE(
    "an endpoint's memory is bounded: what does not fit is refused and fetched when half the window is "
    "free") {
    Bench bench(waiting_at_most(0));
    bench.hand_off({bench.handed(endpoint(1))});
    bench.load(endpoint(1));
    auto running = bench.starts();
    std::vector<HandedDelivery> flood;
    for (int i = 0; i < 1000; ++i) flood.push_back(bench.handed(endpoint(1)));
    bench.hand_off(flood);
    for (auto& start : bench.starts()) running.push_back(start);
    CHECK(running.size() == 4);  // the initial concurrency
    CHECK(bench.fetch_work().probes.empty());
    int refills = 0;
    for (int round = 0; round < 12 && refills == 0; ++round) {
        for (const auto& start : running) bench.commit(bench.end(start, Kind::delivered));
        running = bench.starts();
        refills += static_cast<int>(bench.fetch_work().probes.size());
    }
    CHECK(refills == 1);
}

TEST_CASE("while little waits in all, a healthy endpoint is handed more than its window") {
    Bench bench(waiting_at_most(100));
    bench.hand_off({bench.handed(endpoint(1)), bench.handed(endpoint(2))});
    bench.load(endpoint(1));
    bench.load(endpoint(2));
    for (const auto& start : bench.starts()) bench.commit(bench.end(start, Kind::delivered));
    const auto flood = [&](EndpointId to, int count) {
        std::vector<HandedDelivery> list;
        for (int i = 0; i < count; ++i) list.push_back(bench.handed(to));
        bench.hand_off(std::move(list));
    };
    const auto delivered = [&] {
        int count = 0;
        for (auto running = bench.starts(); !running.empty(); running = bench.starts()) {
            count += static_cast<int>(running.size());
            for (const auto& start : running) bench.commit(bench.end(start, Kind::delivered));
        }
        return count;
    };
    SECTION("all of it is delivered without a look into the table") {
        flood(endpoint(1), 90);
        CHECK(delivered() == 90);
        CHECK(bench.fetch_work().probes.empty());
        flood(endpoint(2), 90);  // what was delivered makes room
        CHECK(delivered() == 90);
        CHECK(bench.fetch_work().probes.empty());
    }
    SECTION("beyond the bound of all, each is held to its window again") {
        flood(endpoint(1), 100);
        flood(endpoint(2), 50);
        CHECK(delivered() < 150);
        CHECK(bench.fetch_work().probes.size() == 1);
    }
}

TEST_CASE("payloads that were too much for one answer are asked for again, and start once") {
    Bench bench;
    bench.dispatcher.wake(shard.shard, endpoint(1));
    bench.load(endpoint(1));
    bench.answer_probe(bench.fetch_work(), {bench.row(endpoint(1)), bench.row(endpoint(1))});
    bench.starts();
    auto wanted = bench.fetch_work().payloads_to_load;
    REQUIRE(wanted.size() == 2);
    bench.dispatcher.load_payloads_later({wanted[1]});
    wanted.pop_back();
    wanted[0].payload = std::make_shared<const std::string>("{}");
    bench.dispatcher.payloads_loaded(wanted, bench.clock.system_now());
    CHECK(bench.starts().size() == 1);
    bench.answer_payloads();
    CHECK(bench.starts().size() == 1);
    CHECK(bench.dispatcher.in_flight() == 2);
}

TEST_CASE("a failed attempt is retried at its time, by the schedule, and not before") {
    Bench bench;
    bench.hand_off({bench.handed(endpoint(1))});
    bench.load(endpoint(1));
    const auto starts = bench.starts();
    REQUIRE(starts.size() == 1);
    const auto outcome = bench.end(starts[0], Kind::retry);
    CHECK(outcome.verdict == Verdict::retry);
    CHECK(outcome.delay >= seconds(5));
    bench.commit(outcome);
    bench.starts();
    CHECK(bench.fetch_work().probes.empty());
    const auto timer = bench.dispatcher.next_timer();
    REQUIRE(timer);
    CHECK(*timer - bench.clock.steady_now() >= seconds(5));
    bench.clock.advance(*timer - bench.clock.steady_now() - milliseconds(1));
    bench.starts();
    CHECK(bench.fetch_work().probes.empty());
    bench.clock.advance(milliseconds(1));
    bench.starts();
    CHECK(bench.fetch_work().probes.size() == 1);
}

TEST_CASE("the last failed attempt makes a dead letter") {
    Bench bench;
    auto handed = bench.handed(endpoint(1));
    handed.delivery.attempt = 3;
    bench.hand_off({handed});
    bench.load(endpoint(1));
    const auto outcome = bench.end(bench.starts().at(0), Kind::retry);
    CHECK(outcome.verdict == Verdict::dead_letter);
    CHECK(outcome.reason == domain::DeadLetterReason::exhausted);
}

TEST_CASE("an ordered endpoint's next delivery waits until the end of the one before is committed") {
    Bench bench;
    auto ordered = bench.config(endpoint(1));
    ordered->ordered = true;
    bench.hand_off({bench.handed(endpoint(1), true), bench.handed(endpoint(1), true)});
    bench.load(ordered);
    const auto work = bench.fetch_work();
    CHECK(work.probes.empty());
    REQUIRE(work.ordered_probes.size() == 1);
    const auto head = bench.row(endpoint(1)), next = bench.row(endpoint(1));
    bench.answer_probe(work, {head});
    bench.starts();
    bench.answer_payloads();
    const auto starts = bench.starts();
    REQUIRE(starts.size() == 1);
    const auto outcome = bench.end(starts[0], Kind::delivered);
    bench.dispatcher.wake(shard.shard, endpoint(1));
    bench.starts();
    CHECK(bench.fetch_work().ordered_probes.empty());
    bench.commit(outcome);
    const auto again = bench.fetch_work();
    REQUIRE(again.ordered_probes.size() == 1);
    bench.answer_probe(again, {next});
    bench.starts();
    bench.answer_payloads();
    CHECK(bench.starts().size() == 1);
}

TEST_CASE("an ordered endpoint whose head is not due yet waits for it") {
    Bench bench;
    auto ordered = bench.config(endpoint(1));
    ordered->ordered = true;
    bench.dispatcher.wake(shard.shard, endpoint(1));
    bench.load(ordered);
    bench.answer_probe(bench.fetch_work(), {bench.row(endpoint(1), seconds(9))});
    CHECK(bench.starts().empty());
    REQUIRE(bench.dispatcher.next_timer());
    CHECK(*bench.dispatcher.next_timer() == bench.clock.steady_now() + seconds(9));
}

TEST_CASE("a disabled endpoint's deliveries are ended in the table, those in flight excepted") {
    Bench bench;
    bench.hand_off({bench.handed(endpoint(1)), bench.handed(endpoint(1)), bench.handed(endpoint(1)),
                    bench.handed(endpoint(1)), bench.handed(endpoint(1)), bench.handed(endpoint(1))});
    bench.load(endpoint(1));
    const auto running = bench.starts();
    REQUIRE(running.size() == 4);
    auto closed = bench.config(endpoint(1), 2);
    closed->disabled = true;
    bench.dispatcher.apply_config(closed);
    CHECK_FALSE(bench.dispatcher.wanted(running[0]));
    const auto work = bench.fetch_work();
    REQUIRE(work.endings.size() == 1);
    CHECK(work.endings[0].except.size() == 4);
    SECTION("what fails after it is a dead letter, not a retry") {
        const auto outcome = bench.end(running[0], Kind::retry);
        CHECK(outcome.verdict == Verdict::dead_letter);
        CHECK(outcome.reason == domain::DeadLetterReason::endpoint_disabled);
    }
    SECTION("what was not sent is left to the ending") {
        bench.dispatcher.deliveries_ended(endpoint(1), true);
        for (const auto& start : running) bench.dispatcher.attempt_not_started(start);
        CHECK(bench.starts().empty());
        const auto rest = bench.fetch_work();
        REQUIRE(rest.endings.size() == 1);
        CHECK(rest.endings[0].except.empty());
    }
    SECTION("an older configuration that arrives late changes nothing") {
        bench.dispatcher.apply_config(bench.config(endpoint(1), 1));
        CHECK_FALSE(bench.dispatcher.wanted(running[0]));
    }
    SECTION("enabled again it is looked at again") {
        bench.dispatcher.deliveries_ended(endpoint(1), true);
        bench.dispatcher.apply_config(bench.config(endpoint(1), 3));
        CHECK(bench.fetch_work().probes.size() == 1);
    }
}

TEST_CASE("a row that arrives for a disabled endpoint is ended too, whenever it is met") {
    Bench bench;
    auto closed = bench.config(endpoint(1));
    closed->disabled = true;
    bench.hand_off({bench.handed(endpoint(1))});
    bench.load(closed);
    bench.starts();
    REQUIRE(bench.fetch_work().endings.size() == 1);
    bench.dispatcher.deliveries_ended(endpoint(1), true);
    bench.dispatcher.wake(shard.shard, endpoint(1));
    bench.starts();
    CHECK(bench.fetch_work().endings.size() == 1);
}

TEST_CASE("410 ends the delivery as gone, asks for the endpoint's disabling and starts nothing more") {
    Bench bench;
    std::vector<HandedDelivery> list;
    for (int i = 0; i < 8; ++i) list.push_back(bench.handed(endpoint(1)));
    bench.hand_off(list);
    bench.load(endpoint(1));
    const auto starts = bench.starts();
    const auto outcome = bench.end(starts.at(0), Kind::disable_endpoint);
    CHECK(outcome.reason == domain::DeadLetterReason::gone);
    CHECK(bench.dispatcher.take_marks().gone == std::set{endpoint(1)});
    CHECK(bench.starts().empty());
}

TEST_CASE("ten failures in a row park an endpoint, one probe at a time finds out when it is back") {
    workers::DispatcherOptions options;
    options.concurrency = {.initial = 10, .maximum = 10};
    Bench bench(options);
    std::vector<HandedDelivery> list;
    for (int i = 0; i < 14; ++i) list.push_back(bench.handed(endpoint(1)));
    bench.hand_off(list);
    bench.load(endpoint(1));
    auto running = bench.starts();
    REQUIRE(running.size() == 10);
    for (const auto& start : running) bench.commit(bench.end(start, Kind::retry));
    CHECK(bench.starts().empty());
    bench.clock.advance(seconds(1));
    running = bench.starts();
    REQUIRE(running.size() == 1);
    bench.commit(bench.end(running[0], Kind::delivered));
    CHECK_FALSE(bench.starts().empty());
}

TEST_CASE(
    "a circuit whose cool-down is over while every slot is taken waits for a slot, and wakes nobody for it") {
    workers::DispatcherOptions options;
    options.concurrency.initial = 2;
    options.breaker.threshold = 1;
    Bench bench(options);
    bench.hand_off({bench.handed(endpoint(1)), bench.handed(endpoint(1)), bench.handed(endpoint(1))});
    bench.starts();
    bench.fetch_work();
    bench.load(endpoint(1));
    const auto slow = bench.starts();
    REQUIRE(slow.size() == 2);
    bench.commit(bench.end(slow[0], Kind::retry));  // opens the circuit, and leaves one slot in all
    CHECK(bench.starts().empty());
    bench.clock.advance(options.breaker.first_cool_down);
    CHECK(bench.starts().empty());
    const auto timer = bench.dispatcher.next_timer();
    CHECK((!timer || *timer > bench.clock.steady_now()));
    bench.commit(bench.end(slow[1], Kind::delivered));
    CHECK(bench.starts().size() == 1);
}

TEST_CASE("an endpoint with a rate limit starts no more than its rate") {
    Bench bench;
    auto limited = bench.config(endpoint(1));
    limited->rate_limit = 2;
    std::vector<HandedDelivery> list;
    for (int i = 0; i < 12; ++i) list.push_back(bench.handed(endpoint(1)));
    bench.hand_off(list);
    bench.load(limited);
    std::size_t sent = 0;
    for (int tenth = 0; tenth < 31; ++tenth) {
        for (const auto& start : bench.starts()) {
            ++sent;
            bench.commit(bench.end(start, Kind::delivered));
        }
        bench.clock.advance(milliseconds(100));
    }
    CHECK(sent >= 6);
    CHECK(sent <= 9);  // three seconds' worth and a burst
}

TEST_CASE("endpoints take turns and all of them together stay below the cap") {
    workers::DispatcherOptions options;
    options.requests_in_flight = 10;
    options.concurrency = {.initial = 64, .maximum = 64};
    Bench bench(options);
    std::vector<HandedDelivery> flood;
    for (int i = 0; i < 100; ++i) flood.push_back(bench.handed(endpoint(1)));
    bench.hand_off(flood);
    bench.hand_off({bench.handed(endpoint(2))});
    bench.load(endpoint(1));
    bench.load(endpoint(2));
    const auto starts = bench.starts();
    CHECK(starts.size() == 10);
    CHECK(std::count_if(starts.begin(), starts.end(),
                        [](const auto& s) { return s.delivery.endpoint == endpoint(2); }) == 1);
}

TEST_CASE("a message older than the limit is a dead letter without an attempt, but a replay is attempted") {
    workers::DispatcherOptions options;
    options.oldest_delivery = std::chrono::hours(1);
    Bench bench(options);
    auto old = bench.handed(endpoint(1)), replay = bench.handed(endpoint(1));
    replay.delivery.manual = true;
    bench.clock.advance(std::chrono::hours(2));
    bench.hand_off({old, replay});
    bench.load(endpoint(1));
    const auto starts = bench.starts();
    REQUIRE(starts.size() == 1);
    CHECK(starts[0].delivery.manual);
    const auto outcomes = bench.dispatcher.take_outcomes();
    REQUIRE(outcomes.size() == 1);
    CHECK(outcomes[0].reason == domain::DeadLetterReason::expired);
    CHECK_FALSE(outcomes[0].record);
}

TEST_CASE("a drained shard starts nothing and is drained when the last outcome is committed") {
    Bench bench;
    std::vector<HandedDelivery> list;
    for (int i = 0; i < 6; ++i) list.push_back(bench.handed(endpoint(1)));
    bench.hand_off(list);
    bench.load(endpoint(1));
    const auto running = bench.starts();
    bench.dispatcher.drain_shard(shard.shard);
    CHECK(bench.starts().empty());
    CHECK_FALSE(bench.dispatcher.drained(shard.shard));
    std::vector<store::Outcome> outcomes;
    for (const auto& start : running) outcomes.push_back(bench.end(start, Kind::delivered));
    CHECK_FALSE(bench.dispatcher.drained(shard.shard));
    for (const auto& outcome : outcomes) bench.commit(outcome);
    CHECK(bench.dispatcher.drained(shard.shard));
    const auto foreign = bench.dispatcher.hand_off(99, {bench.handed(endpoint(1))});
    CHECK(foreign.size() == 1);
}

TEST_CASE("a lost shard is forgotten at once and what is in flight ends without harm") {
    Bench bench;
    bench.hand_off({bench.handed(endpoint(1))});
    bench.load(endpoint(1));
    const auto running = bench.starts();
    bench.dispatcher.lose_shard(shard.shard);
    CHECK_FALSE(bench.dispatcher.wanted(running.at(0)));
    CHECK(bench.dispatcher.lane_count() == 0);
    bench.commit(bench.end(running[0], Kind::delivered));
    CHECK(bench.dispatcher.in_flight() == 0);
}

TEST_CASE("a shard that is lost and gained again before its endpoints were probed is begun anew") {
    Bench bench;
    bench.answer_list(shard.shard, {{shard.shard, endpoint(1)}});
    bench.fetch_work();
    bench.load(endpoint(1));  // is to be probed now
    bench.dispatcher.lose_shard(shard.shard);
    bench.dispatcher.gain_shard({shard.shard, shard.epoch + 1});
    bench.answer_list(shard.shard, {{shard.shard, endpoint(1)}});
    CHECK(bench.fetch_work().probes.empty());
    bench.load(endpoint(1));
    CHECK(bench.fetch_work().probes.size() == 1);
}

TEST_CASE("after a lost connection the backlog is fetched again, what is in flight is not doubled") {
    Bench bench;
    std::vector<HandedDelivery> list;
    for (int i = 0; i < 6; ++i) list.push_back(bench.handed(endpoint(1)));
    bench.hand_off(list);
    bench.load(endpoint(1));
    const auto running = bench.starts();
    REQUIRE(running.size() == 4);
    bench.dispatcher.forget_backlog();
    const auto work = bench.fetch_work();
    CHECK(work.shard_to_list);
    REQUIRE(work.probes.size() == 1);
    std::vector<store::DeliveryRow> rows;
    for (const auto& one : list)
        rows.push_back(
            {ApplicationId{}, endpoint(1), one.delivery.message, 1, false, one.delivery.run_id, {}});
    bench.answer_probe(work, rows);
    for (const auto& start : running) bench.commit(bench.end(start, Kind::delivered));
    bench.starts();
    CHECK(bench.fetch_work().payloads_to_load.size() == 2);
}

TEST_CASE("a failed fetch is repeated and nothing is started twice for it") {
    Bench bench;
    bench.dispatcher.wake(shard.shard, endpoint(1));
    bench.load(endpoint(1));
    const auto work = bench.fetch_work();
    bench.dispatcher.fetch_failed(work);
    const auto again = bench.fetch_work();
    REQUIRE(again.probes.size() == 1);
    bench.answer_probe(again, {bench.row(endpoint(1))});
    bench.starts();
    const auto payloads = bench.fetch_work();
    REQUIRE(payloads.payloads_to_load.size() == 1);
    bench.dispatcher.fetch_failed(payloads);
    bench.answer_payloads();
    CHECK(bench.starts().size() == 1);
}

TEST_CASE("an outcome that matches no row is forgotten and its endpoint is fetched again") {
    Bench bench;
    bench.hand_off({bench.handed(endpoint(1))});
    bench.load(endpoint(1));
    const auto outcome = bench.end(bench.starts().at(0), Kind::delivered);
    bench.dispatcher.outcome_committed(outcome, {false, {}}, bench.clock.steady_now());
    bench.starts();
    CHECK(bench.fetch_work().probes.size() == 1);
}

TEST_CASE("an unbroken row of failures is marked once, and its end too") {
    workers::DispatcherOptions options;
    options.disable_after = std::chrono::hours(120);
    Bench bench(options);
    bench.hand_off({bench.handed(endpoint(1)), bench.handed(endpoint(1)), bench.handed(endpoint(1))});
    bench.load(endpoint(1));
    const auto starts = bench.starts();
    REQUIRE(starts.size() == 3);
    bench.end(starts[0], Kind::retry);
    CHECK(bench.dispatcher.take_marks().failing.size() == 1);
    SECTION("recovered") {
        bench.end(starts[1], Kind::delivered);
        CHECK(bench.dispatcher.take_marks().recovered.size() == 1);
    }
    SECTION("for too long") {
        bench.clock.advance(std::chrono::hours(119));
        bench.end(starts[1], Kind::retry);
        CHECK(bench.dispatcher.take_marks().failed_too_long.empty());
        bench.clock.advance(std::chrono::hours(2));
        bench.end(starts[2], Kind::retry);
        CHECK(bench.dispatcher.take_marks().failed_too_long.size() == 1);
    }
}

TEST_CASE("an expunged payload makes the delivery undeliverable") {
    Bench bench;
    bench.dispatcher.wake(shard.shard, endpoint(1));
    bench.load(endpoint(1));
    bench.answer_probe(bench.fetch_work(), {bench.row(endpoint(1))});
    bench.starts();
    const auto work = bench.fetch_work();
    REQUIRE(work.payloads_to_load.size() == 1);
    bench.dispatcher.payloads_loaded(work.payloads_to_load, bench.clock.system_now());
    CHECK(bench.dispatcher.take_outcomes().at(0).reason == domain::DeadLetterReason::undeliverable);
    CHECK(bench.dispatcher.in_flight() == 0);
}

TEST_CASE("an endpoint that the cap kept waiting starts when any other endpoint's request has ended") {
    workers::DispatcherOptions options;
    options.requests_in_flight = 1;
    Bench bench(options);
    bench.hand_off({bench.handed(endpoint(1)), bench.handed(endpoint(2)), bench.handed(endpoint(3))});
    bench.fetch_work();
    for (std::uint8_t i = 1; i <= 3; ++i) bench.load(endpoint(i));
    std::size_t done = 0;
    for (auto starts = bench.starts(); !starts.empty(); starts = bench.starts()) {
        REQUIRE(starts.size() == 1);
        bench.commit(bench.end(starts[0], Kind::delivered));
        ++done;
    }
    CHECK(done == 3);
}

TEST_CASE("a message that was to be delivered later ages from then on") {
    workers::DispatcherOptions options;
    options.oldest_delivery = std::chrono::hours(1);
    Bench bench(options);
    auto scheduled = bench.handed(endpoint(1));
    scheduled.delivery.extras = domain::make_extras(
        {.headers = {}, .raw = false, .deliver_at = bench.clock.system_now() + std::chrono::hours(2)});
    bench.clock.advance(std::chrono::hours(2) + std::chrono::minutes(30));
    bench.hand_off({scheduled});
    bench.load(endpoint(1));
    CHECK(bench.starts().size() == 1);
}

TEST_CASE("a delivery that the endpoint's filter does not want is cancelled and makes room") {
    Bench bench;
    auto ordered = bench.config(endpoint(1));
    ordered->rate_limit = 1;
    bench.hand_off({bench.handed(endpoint(1)), bench.handed(endpoint(1))});
    bench.load(ordered);
    auto starts = bench.starts();
    REQUIRE(starts.size() == 1);
    bench.dispatcher.attempt_filtered(starts[0]);
    const auto outcomes = bench.dispatcher.take_outcomes();
    REQUIRE(outcomes.size() == 1);
    CHECK(outcomes[0].verdict == Verdict::cancelled);
    CHECK_FALSE(outcomes[0].record);
    CHECK(bench.starts().size() == 1);  // its place in the rate was given back
    CHECK(bench.dispatcher.in_flight() == 1);
}

TEST_CASE("an endpoint's own schedule takes the place of the service's") {
    Bench bench;
    auto own = bench.config(endpoint(1));
    own->retry_schedule.emplace(std::vector<milliseconds>{seconds(100)});
    bench.hand_off({bench.handed(endpoint(1))});
    bench.load(own);
    auto starts = bench.starts();
    REQUIRE(starts.size() == 1);
    const auto first = bench.end(starts[0], Kind::retry);
    CHECK(first.verdict == Verdict::retry);
    CHECK(first.delay >= seconds(100));
    starts[0].delivery.attempt = 2;
    CHECK(own->retry_schedule->attempts() == 2);
}

TEST_CASE("a circuit that opens is marked with its end, and its closing too") {
    workers::DispatcherOptions options;
    options.breaker.threshold = 1;
    Bench bench(options);
    bench.hand_off({bench.handed(endpoint(1)), bench.handed(endpoint(1))});
    bench.load(endpoint(1));
    auto starts = bench.starts();
    REQUIRE(starts.size() == 2);
    bench.end(starts[0], Kind::retry);
    auto marks = bench.dispatcher.take_marks();
    REQUIRE(marks.circuits.contains(endpoint(1)));
    CHECK(marks.circuits.at(endpoint(1)) > bench.clock.system_now());
    bench.end(starts[1], Kind::delivered);
    marks = bench.dispatcher.take_marks();
    REQUIRE(marks.circuits.contains(endpoint(1)));
    CHECK_FALSE(marks.circuits.at(endpoint(1)));
}

TEST_CASE("an endpoint that was met while it was disabled is looked at again once it is enabled") {
    Bench bench;
    auto closed = bench.config(endpoint(1));
    closed->disabled = true;
    bench.dispatcher.wake(shard.shard, endpoint(1));
    bench.load(closed);
    bench.starts();
    REQUIRE(bench.fetch_work().endings.size() == 1);
    bench.dispatcher.deliveries_ended(endpoint(1), true);
    bench.dispatcher.apply_config(bench.config(endpoint(1), 2));
    CHECK(bench.fetch_work().probes.size() == 1);
}

TEST_CASE("disabled, enabled and disabled again before the database was asked, its deliveries are ended") {
    Bench bench;
    bench.hand_off({bench.handed(endpoint(1))});
    bench.load(endpoint(1));
    bench.starts();
    const auto change = [&](std::int64_t version, bool disabled) {
        auto made = bench.config(endpoint(1), version);
        made->disabled = disabled;
        bench.dispatcher.apply_config(made);
    };
    change(2, true);
    change(3, false);
    CHECK(bench.fetch_work().endings.empty());
    change(4, true);
    CHECK(bench.fetch_work().endings.size() == 1);
}

TEST_CASE("an endpoint that is about to be disabled is not asked for over and over") {
    Bench bench;
    std::vector<HandedDelivery> list;
    for (int i = 0; i < 30; ++i) list.push_back(bench.handed(endpoint(1)));
    bench.hand_off(list);  // more than fits: the table has more
    bench.load(endpoint(1));
    auto starts = bench.starts();
    bench.end(starts.at(0), Kind::disable_endpoint);
    bench.dispatcher.wake(shard.shard, endpoint(1));
    for (int round = 0; round < 3; ++round) {
        bench.starts();
        const auto work = bench.fetch_work();
        CHECK(work.probes.empty());
        std::vector<store::DeliveryRow> rows;
        for (int i = 0; i < 600; ++i) rows.push_back(bench.row(endpoint(1)));
        bench.answer_probe(work, rows);
    }
    bench.dispatcher.apply_config(bench.config(endpoint(1), 2));  // it was enabled again
    CHECK(bench.fetch_work().probes.size() == 1);
}

TEST_CASE("an endpoint whose secrets can not be opened is let be until its configuration says more") {
    Bench bench;
    auto unreadable = bench.config(endpoint(1));
    unreadable->unreadable = true;
    bench.hand_off({bench.handed(endpoint(1)), bench.handed(endpoint(1), true)});
    bench.load(unreadable);
    CHECK(bench.starts().empty());
    auto work = bench.fetch_work();
    CHECK(work.probes.empty());
    CHECK(work.endings.empty());
    bench.dispatcher.apply_config(bench.config(endpoint(1), 2));
    CHECK(bench.fetch_work().probes.size() == 1);
    CHECK(bench.starts().size() == 1);
}

TEST_CASE("a payload that was asked for before its shard was lost starts nothing after it is back") {
    Bench bench;
    bench.dispatcher.wake(shard.shard, endpoint(1));
    bench.load(endpoint(1));
    const auto row = bench.row(endpoint(1));
    bench.answer_probe(bench.fetch_work(), {row});
    bench.starts();
    auto asked = bench.fetch_work();
    REQUIRE(asked.payloads_to_load.size() == 1);
    bench.dispatcher.lose_shard(shard.shard);
    bench.dispatcher.gain_shard({shard.shard, shard.epoch + 1});
    bench.dispatcher.wake(shard.shard, endpoint(1));
    bench.load(endpoint(1));
    bench.answer_probe(bench.fetch_work(), {row});
    asked.payloads_to_load[0].payload = std::make_shared<const std::string>("{}");
    bench.dispatcher.payloads_loaded(asked.payloads_to_load, bench.clock.system_now());
    CHECK(bench.starts().empty());
    bench.answer_payloads();
    CHECK(bench.starts().size() == 1);
    CHECK(bench.dispatcher.in_flight() == 1);
}

TEST_CASE("of failures and successes that are still to be written the last word counts") {
    workers::EndpointMarks marks;
    SECTION("failing, then recovered") {
        marks.note_failing(endpoint(1));
        marks.note_recovered(endpoint(1));
        CHECK(marks.failing.empty());
        CHECK(marks.recovered.contains(endpoint(1)));
    }
    SECTION("recovered, then failing anew: both, since the old row of failures ends first") {
        marks.note_recovered(endpoint(1));
        marks.note_failing(endpoint(1));
        CHECK(marks.failing.contains(endpoint(1)));
        CHECK(marks.recovered.contains(endpoint(1)));
    }
    SECTION("what comes later is added in that order") {
        marks.note_failing(endpoint(1));
        marks.circuits[endpoint(1)] = SystemTime(std::chrono::hours(1));
        workers::EndpointMarks later;
        later.note_recovered(endpoint(1));
        later.circuits[endpoint(1)].reset();
        marks.add(std::move(later));
        CHECK(marks.failing.empty());
        CHECK(marks.recovered.contains(endpoint(1)));
        CHECK_FALSE(marks.circuits.at(endpoint(1)));
    }
}
