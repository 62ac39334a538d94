#pragma once
#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "domain/flow_control.hpp"
#include "workers/delivery.hpp"

namespace posthorn::workers {

// Everything about one endpoint, in one place, on one thread: backlog, what is in flight, breaker, rate,
// order.
struct Lane {
    Lane(EndpointId endpoint, store::HeldShard held_shard, domain::ConcurrencyLimit::Options limits,
         domain::CircuitBreaker::Options breaking)
        : id(endpoint), shard(held_shard), concurrency(limits), breaker(breaking) {}

    enum class Stage : std::uint8_t { ready, in_flight, uncommitted };
    struct Held {
        Stage stage;
        MessageId message;
    };

    EndpointId id;
    store::HeldShard shard;
    std::shared_ptr<const EndpointConfig> config;
    bool loading = false;    // the configuration is being read
    bool suspended = false;  // a worker asked for the endpoint to be disabled, or it can't be read: nothing
                             // starts until the configuration says more

    std::deque<Delivery> ready;
    // By run id, every delivery that must not be taken from the table again: waiting here, being attempted,
    // or its outcome not yet committed.
    std::unordered_map<std::int64_t, Held> held;
    int slots = 0;  // requests in flight, and deliveries whose payload is being read for one
    // An ordered endpoint's delivery keeps its slot until its outcome is committed: only then has it ended
    // (I7).
    std::optional<std::int64_t> kept_slot;

    domain::ConcurrencyLimit concurrency;
    domain::CircuitBreaker breaker;
    domain::RateLimiter rate;

    bool more_in_table =
        false;  // due rows that are not held: hand-offs are refused until a probe comes back short
    bool wants_probe = false;
    bool probing = false;
    bool probe_again = false;  // a reason to look came up while a probe was under way
    std::unordered_set<std::int64_t> ended_during_probe;  // its snapshot may be older than their end
    std::optional<SteadyTime> next_due;                   // of the first row that is not due yet
    SystemTime watermark{};                               // no row is due before it

    bool wants_ending = false;  // disabled or deleted: its rows are to be ended
    bool ending = false;
    std::optional<SystemTime> failing_since;

    std::optional<SteadyTime> timer;  // its place among the dispatcher's timers
    bool queued = false;              // in the dispatcher's run queue
    SteadyTime used_at{};

    // How many deliveries may wait in memory: grows with what the endpoint takes.
    int window() const { return std::clamp(4 * concurrency.limit(), 16, 512); }
    bool ordered() const { return config && config->ordered; }
    bool open() const { return config && config->open() && !suspended; }
    // Not that of another time when its shard was held.
    bool has_slot(std::int64_t run_id) const {
        const auto at = held.find(run_id);
        return at != held.end() && at->second.stage == Stage::in_flight;
    }
    bool idle() const {
        return held.empty() && slots == 0 && !loading && !probing && !wants_probe && !more_in_table &&
               !next_due && !wants_ending && !ending &&
               breaker.state() == domain::CircuitBreaker::State::closed;
    }
};

}  // namespace posthorn::workers
