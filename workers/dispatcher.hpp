#pragma once
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/random.hpp"
#include "domain/retry_schedule.hpp"
#include "domain/verdict.hpp"
#include "workers/lane.hpp"

namespace posthorn::workers {

struct DispatcherOptions {
    int requests_in_flight = 1024;                  // of all endpoints together
    domain::ConcurrencyLimit::Options concurrency;  // of one endpoint
    domain::CircuitBreaker::Options breaker;
    domain::RetrySchedule schedule{{}};
    std::chrono::milliseconds disable_after{0};    // of nothing but failures; 0: never
    std::chrono::milliseconds oldest_delivery{0};  // older messages are dead letters (expired); 0: no limit
    std::size_t payload_bytes =
        64 * 1024 * 1024;  // held for deliveries that wait; beyond, payloads are read again
    // While fewer wait in all, an endpoint may be handed more than its window: what is not taken by hand has
    // to be read from the table.
    std::size_t waiting_deliveries = 50'000;
};

// What is to be read from, or done in, the database. Each part is answered by one call back: its result, or
// fetch_failed.
struct FetchWork {
    std::optional<int> shard_to_list;  // one at a time: what else is to be read does not wait for all
    std::vector<store::ProbeTarget> probes;
    std::vector<EndpointId> ordered_probes;
    std::vector<EndpointId> endpoints_to_load;
    std::vector<Delivery> payloads_to_load;
    struct Ending {
        store::HeldShard shard;
        ApplicationId application;
        EndpointId endpoint;
        bool deleted = false;
        std::vector<MessageId> except;
    };
    std::vector<Ending> endings;

    bool empty() const;
};

// Changes to endpoints that outcomes ask for, and that are still to be written: `recovered` before `failing`.
struct EndpointMarks {
    std::set<EndpointId> failing, recovered, gone, failed_too_long;
    std::map<EndpointId, std::optional<SystemTime>> circuits;  // open until, or closed

    void note_failing(EndpointId endpoint) { failing.insert(endpoint); }
    void note_recovered(EndpointId endpoint) {
        failing.erase(endpoint);
        recovered.insert(endpoint);
    }
    void add(EndpointMarks later);
    bool empty() const {
        return failing.empty() && recovered.empty() && gone.empty() && failed_too_long.empty() &&
               circuits.empty();
    }
};

// Decides what is attempted when, for the endpoints of the shards that one thread owns. Without I/O and
// without a clock of its own: it is told what happened and asked what to do. One thread.
// docs/architecture.md, Dispatcher, tells its rules and races.
class Dispatcher {
public:
    Dispatcher(DispatcherOptions options, std::uint64_t seed);

    // -- ownership
    void gain_shard(store::HeldShard shard);
    void drain_shard(int shard);    // nothing of it is started any more
    bool drained(int shard) const;  // nothing of it is in flight or uncommitted
    void lose_shard(int shard);     // forgets it; what is in flight ends at the fence
    bool holds(store::HeldShard shard) const;
    std::vector<store::HeldShard> shards() const;
    // The database connection was lost, or its answers can't be trusted: the backlog is forgotten and read
    // again.
    void forget_backlog();

    // -- ways in
    void announce(std::uint64_t batch, std::span<const MessageId> messages);
    // Returns those of shards that are not held here (any more): their owner is to be notified.
    std::vector<std::pair<int, EndpointId>> hand_off(std::uint64_t batch,
                                                     std::vector<HandedDelivery> deliveries);
    void abandon(std::uint64_t batch, bool unknown);
    void wake(int shard, std::optional<EndpointId> endpoint);  // nothing: any endpoint of the shard
    void list_again();                                         // all shards
    void list_in_turn(SteadyTime now);                         // those whose turn it is

    // -- what to do now
    std::vector<Start> take_starts(SteadyTime now, SystemTime wall);
    FetchWork take_fetch_work(SteadyTime now, SystemTime wall);
    std::vector<store::Outcome> take_outcomes();  // of deliveries that end without an attempt
    EndpointMarks take_marks();
    std::optional<SteadyTime> next_timer() const;

    // -- answers
    void listed(int shard, const std::vector<store::BackloggedEndpoint>& endpoints, Duration took,
                SteadyTime now);
    void probed(const std::vector<store::ProbeTarget>& targets,
                const std::vector<EndpointId>& ordered_targets, const std::vector<store::DeliveryRow>& rows,
                SteadyTime now, SystemTime wall);
    void loaded(const std::vector<EndpointId>& asked,
                const std::vector<std::shared_ptr<const EndpointConfig>>& configs);
    // As asked, payload and extras filled in; a null payload: there is none.
    void payloads_loaded(std::vector<Delivery> deliveries, SystemTime wall);
    void load_payloads_later(std::vector<Delivery> deliveries);  // they were too much for one answer
    void deliveries_ended(EndpointId endpoint, bool all);
    void fetch_failed(const FetchWork& work);
    // A configuration read after a change was announced.
    void apply_config(std::shared_ptr<const EndpointConfig> config);

    // -- attempts
    // Asked right before the first byte of its request.
    bool wanted(const Start& start) const;
    // The request ended with this verdict: makes the outcome that is to be committed.
    store::Outcome attempt_ended(const Start& start, const domain::Verdict& verdict, SteadyTime now,
                                 SystemTime wall);
    // The endpoint's filter does not want it: it is cancelled, without a request.
    void attempt_filtered(const Start& start);
    // No byte of it was sent.
    void attempt_not_started(const Start& start);
    void outcome_committed(const store::Outcome& outcome, const store::Completion& completion,
                           SteadyTime now);

    int in_flight() const { return in_flight_; }
    std::size_t lane_count() const { return lanes_.size(); }

    void sweep_idle_lanes(SteadyTime now);  // forgets endpoints not used for five minutes

private:
    struct Shard {
        store::HeldShard held;
        bool draining = false;
        Duration rest{};  // between two listings in turn
        SteadyTime next_listing{};
    };

    Lane& lane(EndpointId endpoint, const Shard& shard);
    Lane* find(EndpointId endpoint);
    const Shard* shard_of(int shard) const;
    bool may_start(const Lane& lane) const;
    int hand_off_window(const Lane& lane) const;
    void enqueue(Lane& lane);
    void want_probe(Lane& lane);
    void arm(Lane& lane, SteadyTime now);
    void disarm(Lane& lane);
    void visit(Lane& lane, SteadyTime now, SystemTime wall);
    bool start_next(Lane& lane, SteadyTime now, SystemTime wall);
    void drop_ready(Lane& lane);
    void forget(Lane& lane, std::int64_t run_id);
    bool expired(const Delivery& delivery, SystemTime wall) const;
    // As a dead letter, or cancelled without a reason.
    void end_without_attempt(Lane& lane, Delivery delivery, std::optional<domain::DeadLetterReason> reason);
    void release_slot(Lane& lane);
    void absorb(Lane& lane, std::span<const store::DeliveryRow* const> rows, int asked, SteadyTime now,
                SystemTime wall);
    void hold(Lane& lane, Delivery delivery);
    void collect_probes(FetchWork& work, SystemTime wall);
    void note_success(Lane& lane);
    void note_failure(Lane& lane, SteadyTime started, SteadyTime now, SystemTime wall);
    void request_load(Lane& lane);
    void request_ending(Lane& lane);
    void close_announcement(std::uint64_t batch);
    void return_to_ready(Lane& lane, Delivery delivery);
    void cancel_reserved(const std::function<bool(EndpointId)>& of);

    DispatcherOptions options_;
    Random random_;
    std::map<int, Shard> shards_;
    std::unordered_map<EndpointId, std::unique_ptr<Lane>> lanes_;
    std::deque<EndpointId> run_queue_;
    std::set<std::pair<SteadyTime, EndpointId>> timers_;
    std::deque<EndpointId> probe_queue_, load_queue_, ending_queue_;
    std::vector<Delivery> payload_queue_;  // slots taken, payload missing
    std::vector<Start> started_;           // slots taken, ready to go
    std::set<int> shards_to_list_;
    int listed_last_ = 0;
    std::unordered_map<std::uint64_t, std::vector<MessageId>> announcements_;
    std::unordered_set<MessageId> announced_;
    std::vector<store::Outcome> outcomes_;
    EndpointMarks marks_;
    int in_flight_ = 0;
    std::size_t payload_bytes_ = 0;  // of the deliveries in ready
    std::size_t waiting_ = 0;        // deliveries in ready
};

}  // namespace posthorn::workers
