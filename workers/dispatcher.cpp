#include "workers/dispatcher.hpp"

#include <algorithm>

namespace posthorn::workers {

namespace {
constexpr int starts_a_visit = 8;           // then the next endpoint has its turn
constexpr std::size_t starts_a_take = 256;  // then the loop looks after other things
constexpr std::chrono::minutes idle_lane_kept{5};
constexpr int longest_hand_off_window = 1'024;
}  // namespace

bool FetchWork::empty() const {
    return !shard_to_list && probes.empty() && ordered_probes.empty() && endpoints_to_load.empty() &&
           payloads_to_load.empty() && endings.empty();
}

void EndpointMarks::add(EndpointMarks later) {
    for (const auto& endpoint : later.recovered) note_recovered(endpoint);
    for (const auto& endpoint : later.failing) note_failing(endpoint);
    gone.merge(later.gone);
    failed_too_long.merge(later.failed_too_long);
    for (const auto& [endpoint, until] : later.circuits) circuits[endpoint] = until;
}

Dispatcher::Dispatcher(DispatcherOptions options, std::uint64_t seed)
    : options_(std::move(options)), random_(seed) {}

// ---- ownership

void Dispatcher::gain_shard(store::HeldShard shard) {
    if (holds(shard)) return;
    lose_shard(shard.shard);
    shards_[shard.shard] = {.held = shard};
    shards_to_list_.insert(shard.shard);
}

void Dispatcher::drain_shard(int shard) {
    const auto at = shards_.find(shard);
    if (at == shards_.end() || at->second.draining) return;
    at->second.draining = true;
    shards_to_list_.erase(shard);
    cancel_reserved([&](EndpointId endpoint) {
        const Lane* lane = find(endpoint);
        return lane != nullptr && lane->shard.shard == shard;
    });
    for (auto& [id, lane] : lanes_)
        if (lane->shard.shard == shard) drop_ready(*lane);
}

bool Dispatcher::drained(int shard) const {
    return std::none_of(lanes_.begin(), lanes_.end(), [&](const auto& entry) {
        const Lane& lane = *entry.second;
        return lane.shard.shard == shard && (!lane.held.empty() || lane.slots > 0 || lane.ending);
    });
}

void Dispatcher::lose_shard(int shard) {
    if (shards_.erase(shard) == 0) return;
    shards_to_list_.erase(shard);
    const auto of_shard = [&](EndpointId endpoint) {
        const Lane* lane = find(endpoint);
        return lane != nullptr && lane->shard.shard == shard;
    };
    cancel_reserved(of_shard);
    std::erase_if(lanes_, [&](auto& entry) {
        Lane& lane = *entry.second;
        if (lane.shard.shard != shard) return false;
        drop_ready(lane);
        disarm(lane);
        return true;
    });
}

bool Dispatcher::holds(store::HeldShard shard) const {
    const auto at = shards_.find(shard.shard);
    return at != shards_.end() && at->second.held == shard;
}

std::vector<store::HeldShard> Dispatcher::shards() const {
    std::vector<store::HeldShard> list;
    for (const auto& [number, shard] : shards_) list.push_back(shard.held);
    return list;
}

void Dispatcher::forget_backlog() {
    cancel_reserved([](EndpointId) { return true; });
    for (auto& [id, lane] : lanes_) {
        drop_ready(*lane);
        lane->more_in_table = false;
        lane->next_due.reset();
        lane->watermark = {};
        want_probe(*lane);
    }
    list_again();
}

void Dispatcher::sweep_idle_lanes(SteadyTime now) {
    std::erase_if(lanes_, [&](auto& entry) {
        Lane& lane = *entry.second;
        if (!lane.idle() || lane.queued || lane.used_at + idle_lane_kept > now) return false;
        disarm(lane);
        return true;
    });
}

// ---- ways in

void Dispatcher::announce(std::uint64_t batch, std::span<const MessageId> messages) {
    announced_.insert(messages.begin(), messages.end());
    announcements_.emplace(batch, std::vector(messages.begin(), messages.end()));
}

void Dispatcher::close_announcement(std::uint64_t batch) {
    const auto at = announcements_.find(batch);
    if (at == announcements_.end()) return;
    for (const auto& message : at->second) announced_.erase(message);
    announcements_.erase(at);
}

std::vector<std::pair<int, EndpointId>> Dispatcher::hand_off(std::uint64_t batch,
                                                             std::vector<HandedDelivery> deliveries) {
    std::vector<std::pair<int, EndpointId>> foreign;
    for (auto& handed : deliveries) {
        const EndpointId endpoint = handed.delivery.endpoint;
        const Shard* shard = shard_of(handed.shard);
        if (shard == nullptr || shard->draining) {
            foreign.emplace_back(handed.shard, endpoint);
            continue;
        }
        Lane& to = lane(endpoint, *shard);
        if (handed.from_table || to.ordered()) {
            want_probe(to);
        } else if (to.more_in_table || to.probing || std::ssize(to.ready) >= hand_off_window(to) ||
                   (to.config && !to.open())) {
            // While a probe is under way its snapshot decides; what it can't have seen is probed for again.
            if (to.probing)
                to.probe_again = true;
            else
                to.more_in_table = true;
        } else if (!to.held.contains(handed.delivery.run_id)) {
            hold(to, std::move(handed.delivery));
        }
        enqueue(to);
    }
    close_announcement(batch);
    return foreign;
}

int Dispatcher::hand_off_window(const Lane& lane) const {
    const bool healthy = lane.breaker.state() == domain::CircuitBreaker::State::closed;
    return healthy && waiting_ < options_.waiting_deliveries ? longest_hand_off_window : lane.window();
}

void Dispatcher::abandon(std::uint64_t batch, bool unknown) {
    close_announcement(batch);
    if (unknown) list_again();  // it may have been committed, for endpoints that nobody named
}

void Dispatcher::wake(int shard, std::optional<EndpointId> endpoint) {
    const Shard* held = shard_of(shard);
    if (held == nullptr || held->draining) return;
    if (!endpoint) {
        shards_to_list_.insert(shard);
        return;
    }
    Lane& woken = lane(*endpoint, *held);
    want_probe(woken);
    enqueue(woken);
}

void Dispatcher::list_again() {
    for (const auto& [number, shard] : shards_)
        if (!shard.draining) shards_to_list_.insert(number);
}

void Dispatcher::list_in_turn(SteadyTime now) {
    for (const auto& [number, shard] : shards_)
        if (!shard.draining && shard.next_listing <= now) shards_to_list_.insert(number);
}

// ---- starting

std::vector<Start> Dispatcher::take_starts(SteadyTime now, SystemTime wall) {
    while (!timers_.empty() && timers_.begin()->first <= now) {
        Lane* due = find(timers_.begin()->second);
        timers_.erase(timers_.begin());
        if (due == nullptr) continue;
        due->timer.reset();
        enqueue(*due);
    }
    // At the cap the endpoints keep their places: the next end of any request goes on from here.
    for (std::size_t visits = run_queue_.size();
         visits > 0 && started_.size() < starts_a_take && in_flight_ < options_.requests_in_flight;
         --visits) {
        Lane* next = find(run_queue_.front());
        run_queue_.pop_front();
        if (next == nullptr) continue;
        next->queued = false;
        next->used_at = now;
        visit(*next, now, wall);
    }
    std::vector<Start> starts;
    starts.swap(started_);
    return starts;
}

bool Dispatcher::may_start(const Lane& lane) const {
    return lane.open() && !lane.ready.empty() && lane.slots < (lane.ordered() ? 1 : lane.concurrency.limit());
}

void Dispatcher::visit(Lane& lane, SteadyTime now, SystemTime wall) {
    const Shard* shard = shard_of(lane.shard.shard);
    if (shard == nullptr || shard->draining) return;
    if (!lane.config) {
        request_load(lane);
        return;
    }
    if (!lane.config->open()) {
        drop_ready(lane);
        request_ending(lane);
        return;
    }
    if (lane.suspended) return;  // its next configuration goes on from here
    if (lane.next_due && *lane.next_due <= now) {
        lane.next_due.reset();
        want_probe(lane);
    }
    if (lane.more_in_table && std::ssize(lane.ready) <= lane.window() / 2) want_probe(lane);
    for (int started = 0; started < starts_a_visit && start_next(lane, now, wall); ++started) {
    }
    if (may_start(lane) && lane.breaker.state() == domain::CircuitBreaker::State::closed &&
        lane.rate.available_at(now) <= now)
        enqueue(lane);
    arm(lane, now);
}

bool Dispatcher::start_next(Lane& lane, SteadyTime now, SystemTime wall) {
    if (in_flight_ >= options_.requests_in_flight || !may_start(lane) || !lane.rate.try_take(now))
        return false;
    if (!lane.breaker.try_start(now)) {
        lane.rate.give_back();
        return false;
    }
    Delivery delivery = std::move(lane.ready.front());
    lane.ready.pop_front();
    --waiting_;
    if (delivery.payload) payload_bytes_ -= delivery.payload->size();
    if (delivery.payload && expired(delivery, wall)) {
        lane.rate.give_back();
        lane.breaker.on_not_started(now);
        end_without_attempt(lane, std::move(delivery), domain::DeadLetterReason::expired);
        return true;
    }
    lane.held.at(delivery.run_id).stage = Lane::Stage::in_flight;
    delivery.slot_taken = now;
    ++lane.slots;
    ++in_flight_;
    if (delivery.payload)
        started_.push_back({std::move(delivery), lane.shard, lane.config});
    else
        payload_queue_.push_back(std::move(delivery));
    return true;
}

bool Dispatcher::expired(const Delivery& delivery, SystemTime wall) const {
    if (delivery.manual || options_.oldest_delivery.count() == 0) return false;
    SystemTime wanted = uuid_v7_time(delivery.message.value);
    if (delivery.extras && delivery.extras->deliver_at)
        wanted = std::max(wanted, *delivery.extras->deliver_at);
    return wall - wanted > options_.oldest_delivery;
}

void Dispatcher::end_without_attempt(Lane& lane, Delivery delivery,
                                     std::optional<domain::DeadLetterReason> reason) {
    lane.held.at(delivery.run_id).stage = Lane::Stage::uncommitted;
    outcomes_.push_back(
        {.shard = lane.shard,
         .application = delivery.application,
         .endpoint = delivery.endpoint,
         .message = delivery.message,
         .run_id = delivery.run_id,
         .place = delivery.place,
         .attempt = delivery.attempt,
         .manual = delivery.manual,
         .verdict = reason ? store::Outcome::Verdict::dead_letter : store::Outcome::Verdict::cancelled,
         .reason = reason,
         .delay = {},
         .record = std::nullopt});
}

// ---- small things

Lane& Dispatcher::lane(EndpointId endpoint, const Shard& shard) {
    auto& place = lanes_[endpoint];
    if (!place) place = std::make_unique<Lane>(endpoint, shard.held, options_.concurrency, options_.breaker);
    return *place;
}

Lane* Dispatcher::find(EndpointId endpoint) {
    const auto at = lanes_.find(endpoint);
    return at == lanes_.end() ? nullptr : at->second.get();
}

const Dispatcher::Shard* Dispatcher::shard_of(int shard) const {
    const auto at = shards_.find(shard);
    return at == shards_.end() ? nullptr : &at->second;
}

void Dispatcher::enqueue(Lane& lane) {
    if (lane.queued) return;
    lane.queued = true;
    run_queue_.push_back(lane.id);
}

void Dispatcher::want_probe(Lane& lane) {
    if (lane.probing) {
        lane.probe_again = true;
    } else if (!lane.wants_probe) {
        lane.wants_probe = true;
        if (lane.config)
            probe_queue_.push_back(lane.id);
        else
            request_load(lane);  // how to probe depends on whether it is ordered
    }
}

void Dispatcher::request_load(Lane& lane) {
    if (lane.loading) return;
    lane.loading = true;
    load_queue_.push_back(lane.id);
}

void Dispatcher::request_ending(Lane& lane) {
    if (lane.ending || lane.wants_ending) return;
    lane.wants_ending = true;
    ending_queue_.push_back(lane.id);
}

void Dispatcher::arm(Lane& lane, SteadyTime now) {
    std::optional<SteadyTime> at = lane.next_due;
    const auto sooner = [&](SteadyTime time) {
        if (!at || time < *at) at = time;
    };
    if (may_start(lane)) {  // else the slot that becomes free goes on from here
        if (const auto opens = lane.breaker.opens_at()) sooner(*opens);
        if (const auto free = lane.rate.available_at(now); free > now) sooner(free);
    }
    if (lane.timer == at) return;
    disarm(lane);
    if (!at) return;
    lane.timer = at;
    timers_.emplace(*at, lane.id);
}

void Dispatcher::disarm(Lane& lane) {
    if (lane.timer) timers_.erase({*lane.timer, lane.id});
    lane.timer.reset();
}

std::optional<SteadyTime> Dispatcher::next_timer() const {
    if (!run_queue_.empty() && in_flight_ < options_.requests_in_flight) return SteadyTime::min();
    if (timers_.empty()) return std::nullopt;
    return timers_.begin()->first;
}

void Dispatcher::hold(Lane& lane, Delivery delivery) {
    lane.held.emplace(delivery.run_id, Lane::Held{Lane::Stage::ready, delivery.message});
    return_to_ready(lane, std::move(delivery));
    std::rotate(lane.ready.begin(), lane.ready.begin() + 1, lane.ready.end());  // from the front to the back
}

void Dispatcher::return_to_ready(Lane& lane, Delivery delivery) {
    if (delivery.payload) {
        if (payload_bytes_ + delivery.payload->size() > options_.payload_bytes)
            delivery.payload.reset();
        else
            payload_bytes_ += delivery.payload->size();
    }
    lane.ready.push_front(std::move(delivery));
    ++waiting_;
}

void Dispatcher::drop_ready(Lane& lane) {
    for (const auto& delivery : lane.ready) {
        if (delivery.payload) payload_bytes_ -= delivery.payload->size();
        lane.held.erase(delivery.run_id);
    }
    waiting_ -= lane.ready.size();
    lane.ready.clear();
}

void Dispatcher::release_slot(Lane& lane) {
    --lane.slots;
    enqueue(lane);
}

// Takes back what has a slot but was not handed out: the rows are still in the table.
void Dispatcher::cancel_reserved(const std::function<bool(EndpointId)>& of) {
    const auto cancel = [&](const Delivery& delivery) {
        if (!of(delivery.endpoint)) return false;
        --in_flight_;
        if (Lane* at = find(delivery.endpoint)) {
            at->breaker.on_not_started(delivery.slot_taken);
            at->rate.give_back();
            at->held.erase(delivery.run_id);
            release_slot(*at);
        }
        return true;
    };
    std::erase_if(payload_queue_, cancel);
    std::erase_if(started_, [&](const Start& start) { return cancel(start.delivery); });
}

std::vector<store::Outcome> Dispatcher::take_outcomes() { return std::exchange(outcomes_, {}); }
EndpointMarks Dispatcher::take_marks() { return std::exchange(marks_, {}); }

}  // namespace posthorn::workers
