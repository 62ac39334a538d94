// The dispatcher's other half: what it asks of the database, and what it makes of the answers.
#include "workers/dispatcher.hpp"

namespace posthorn::workers {

namespace {
constexpr std::size_t endpoints_a_probe = 64;
constexpr std::size_t endpoints_a_load = 256;
constexpr std::size_t payloads_a_load = 512;
// A row may become visible this much later than its due time says: longer than any ingest statement may run.
constexpr std::chrono::seconds watermark_slack{60};
// A listing walks over what is dead and can't be vacuumed yet. All shards' take at most a fiftieth of a
// connection's time, or one in ten minutes.
constexpr int rest_of_listing = 64 * 50;
constexpr std::chrono::minutes longest_rest{10};
constexpr std::chrono::seconds shortest_rest{10};
}  // namespace

FetchWork Dispatcher::take_fetch_work(SteadyTime, SystemTime wall) {
    FetchWork work;
    if (!shards_to_list_.empty()) {
        auto next = shards_to_list_.upper_bound(listed_last_);
        if (next == shards_to_list_.end()) next = shards_to_list_.begin();
        work.shard_to_list = listed_last_ = *next;
        shards_to_list_.erase(next);
    }
    while (!load_queue_.empty() && work.endpoints_to_load.size() < endpoints_a_load) {
        if (find(load_queue_.front()) != nullptr) work.endpoints_to_load.push_back(load_queue_.front());
        load_queue_.pop_front();
    }
    const auto payloads = std::min(payload_queue_.size(), payloads_a_load);
    const auto end = payload_queue_.begin() + static_cast<std::ptrdiff_t>(payloads);
    work.payloads_to_load.assign(payload_queue_.begin(), end);
    payload_queue_.erase(payload_queue_.begin(), end);
    collect_probes(work, wall);
    while (!ending_queue_.empty()) {
        Lane* lane = find(ending_queue_.front());
        ending_queue_.pop_front();
        if (lane == nullptr || !std::exchange(lane->wants_ending, false)) continue;
        if (!lane->config || lane->config->open()) continue;
        lane->ending = true;
        FetchWork::Ending ending{lane->shard, lane->config->application, lane->id, lane->config->deleted, {}};
        for (const auto& [run, held] : lane->held) ending.except.push_back(held.message);
        work.endings.push_back(std::move(ending));
    }
    return work;
}

void Dispatcher::collect_probes(FetchWork& work, SystemTime wall) {
    for (std::size_t count = 0; count < endpoints_a_probe && !probe_queue_.empty(); ++count) {
        Lane* lane = find(probe_queue_.front());
        probe_queue_.pop_front();
        if (lane == nullptr || !lane->wants_probe || lane->probing) continue;
        if (!lane->config)
            continue;  // queued for a lane of before its shard was lost; this one's is being read
        const Shard* shard = shard_of(lane->shard.shard);
        lane->wants_probe = false;
        if (shard == nullptr || shard->draining) continue;
        if (!lane->config->open()) {
            request_ending(*lane);
            continue;
        }
        if (lane->suspended) continue;                         // its next configuration asks again
        if (lane->ordered() && !lane->held.empty()) continue;  // its end asks again
        lane->probing = true;
        lane->next_due.reset();
        if (lane->ordered()) {
            work.ordered_probes.push_back(lane->id);
        } else {
            const int count_wanted = std::max(1, lane->window() - static_cast<int>(lane->ready.size())) +
                                     static_cast<int>(lane->held.size());
            work.probes.push_back(
                {lane->shard.shard, lane->id, count_wanted, std::min(lane->watermark, wall)});
        }
    }
}

void Dispatcher::fetch_failed(const FetchWork& work) {
    if (work.shard_to_list && shard_of(*work.shard_to_list) != nullptr)
        shards_to_list_.insert(*work.shard_to_list);
    const auto probe_again = [&](EndpointId endpoint) {
        Lane* lane = find(endpoint);
        if (lane == nullptr || !lane->probing) return;
        lane->probing = false;
        lane->ended_during_probe.clear();
        want_probe(*lane);
    };
    for (const auto& probe : work.probes) probe_again(probe.endpoint);
    for (const auto endpoint : work.ordered_probes) probe_again(endpoint);
    for (const auto endpoint : work.endpoints_to_load)
        if (Lane* lane = find(endpoint); lane != nullptr && lane->loading) load_queue_.push_back(endpoint);
    load_payloads_later(work.payloads_to_load);
    for (const auto& ending : work.endings) deliveries_ended(ending.endpoint, false);
}

void Dispatcher::listed(int number, const std::vector<store::BackloggedEndpoint>& endpoints, Duration took,
                        SteadyTime now) {
    const auto found = shards_.find(number);
    if (found == shards_.end() || found->second.draining) return;
    Shard& shard = found->second;
    // A database that was slow once does not delay the next by more than twice as long.
    shard.rest = std::min<Duration>(
        {took * rest_of_listing, 2 * std::max<Duration>(shard.rest, shortest_rest), longest_rest});
    shard.next_listing = now + shard.rest;
    for (const auto& backlogged : endpoints) {
        Lane& at = lane(backlogged.endpoint, shard);
        enqueue(at);
        if (at.more_in_table) continue;  // it is probed as soon as it has room
        at.watermark = {};
        want_probe(at);
    }
}

void Dispatcher::probed(const std::vector<store::ProbeTarget>& targets,
                        const std::vector<EndpointId>& ordered_targets,
                        const std::vector<store::DeliveryRow>& rows, SteadyTime now, SystemTime wall) {
    std::unordered_map<EndpointId, std::vector<const store::DeliveryRow*>> by_endpoint;
    for (const auto& row : rows) by_endpoint[row.endpoint].push_back(&row);
    const auto absorb_for = [&](EndpointId endpoint, int asked) {
        Lane* at = find(endpoint);
        if (at == nullptr || !at->probing) return;
        at->probing = false;
        const auto found = by_endpoint.find(endpoint);
        absorb(*at, found == by_endpoint.end() ? std::span<const store::DeliveryRow* const>{} : found->second,
               asked, now, wall);
    };
    for (const auto& target : targets) absorb_for(target.endpoint, target.count);
    for (const auto endpoint : ordered_targets) absorb_for(endpoint, 1);
}

void Dispatcher::absorb(Lane& lane, std::span<const store::DeliveryRow* const> rows, int asked,
                        SteadyTime now, SystemTime wall) {
    bool short_of_due = std::ssize(rows) < asked;
    lane.watermark = wall - watermark_slack;
    if (!rows.empty()) lane.watermark += std::min(rows.front()->due_in, std::chrono::microseconds(0));
    const Shard* shard = shard_of(lane.shard.shard);
    for (const store::DeliveryRow* row : rows) {
        if (row->due_in.count() > 0) {
            const SteadyTime due = now + row->due_in;
            lane.next_due = lane.next_due ? std::min(*lane.next_due, due) : due;
            short_of_due = true;
            break;
        }
        const bool known = lane.held.contains(row->run_id) || lane.ended_during_probe.contains(row->run_id) ||
                           announced_.contains(row->message);
        if (known || shard == nullptr || shard->draining || !lane.open()) continue;
        hold(lane, {row->application, row->endpoint, row->message, row->run_id, row->place, row->attempt,
                    row->manual, nullptr, nullptr});
    }
    lane.ended_during_probe.clear();
    lane.more_in_table = !lane.ordered() && !short_of_due;
    if (std::exchange(lane.probe_again, false)) want_probe(lane);
    enqueue(lane);
}

void Dispatcher::loaded(const std::vector<EndpointId>& asked,
                        const std::vector<std::shared_ptr<const EndpointConfig>>& configs) {
    for (const auto& config : configs) apply_config(config);
    for (const auto endpoint : asked) {
        Lane* at = find(endpoint);
        if (at == nullptr) continue;
        at->loading = false;
        if (!at->config) {
            // No such endpoint: rows of it can't exist but by a defect; they are cancelled as a deleted
            // endpoint's.
            EndpointConfig none;
            none.id = endpoint;
            none.deleted = true;
            apply_config(std::make_shared<const EndpointConfig>(std::move(none)));
        }
    }
}

void Dispatcher::apply_config(std::shared_ptr<const EndpointConfig> config) {
    Lane* at = find(config->id);
    if (at == nullptr) return;
    if (at->config && at->config->version > config->version) return;
    const bool first = !at->config;
    at->config = std::move(config);
    at->suspended = at->config->unreadable;
    at->failing_since = at->config->failing_since;
    at->rate.set_rate(at->config->rate_limit);
    if (!at->config->open()) {
        at->wants_probe = false;
        drop_ready(*at);
        request_ending(*at);
    } else if (first && at->wants_probe) {
        probe_queue_.push_back(at->id);
    } else if (!first) {
        if (at->ordered()) drop_ready(*at);  // the table says in which order
        want_probe(*at);
    }
    enqueue(*at);
}

void Dispatcher::payloads_loaded(std::vector<Delivery> deliveries, SystemTime wall) {
    for (auto& delivery : deliveries) {
        Lane* at = find(delivery.endpoint);
        const Shard* shard = at == nullptr ? nullptr : shard_of(at->shard.shard);
        if (shard == nullptr || !at->has_slot(delivery.run_id)) {
            --in_flight_;
            continue;
        }
        const bool too_old = expired(delivery, wall);
        if (!shard->draining && at->open() && delivery.payload && !too_old) {
            started_.push_back({std::move(delivery), at->shard, at->config});
            continue;
        }
        --in_flight_;
        at->breaker.on_not_started(delivery.slot_taken);
        at->rate.give_back();
        release_slot(*at);
        if (shard->draining || !at->open())
            at->held.erase(delivery.run_id);
        else
            end_without_attempt(
                *at, std::move(delivery),
                too_old ? domain::DeadLetterReason::expired : domain::DeadLetterReason::undeliverable);
    }
}

void Dispatcher::load_payloads_later(std::vector<Delivery> deliveries) {
    payload_queue_.insert(payload_queue_.begin(), std::make_move_iterator(deliveries.begin()),
                          std::make_move_iterator(deliveries.end()));
}

void Dispatcher::deliveries_ended(EndpointId endpoint, bool all) {
    Lane* at = find(endpoint);
    if (at == nullptr) return;
    at->ending = false;
    if (!all) request_ending(*at);
}

// ---- attempts

bool Dispatcher::wanted(const Start& start) const {
    if (!holds(start.shard)) return false;
    const auto at = lanes_.find(start.delivery.endpoint);
    return at != lanes_.end() && at->second->open();
}

store::Outcome Dispatcher::attempt_ended(const Start& start, const domain::Verdict& verdict, SteadyTime now,
                                         SystemTime wall) {
    using Kind = domain::Verdict::Kind;
    using Verdict = store::Outcome::Verdict;
    const Delivery& delivery = start.delivery;
    store::Outcome outcome{.shard = start.shard,
                           .application = delivery.application,
                           .endpoint = delivery.endpoint,
                           .message = delivery.message,
                           .run_id = delivery.run_id,
                           .place = delivery.place,
                           .attempt = delivery.attempt,
                           .manual = delivery.manual,
                           .verdict = Verdict::dead_letter,
                           .reason = std::nullopt,
                           .delay = {},
                           .record = std::nullopt};
    Lane* at = find(delivery.endpoint);
    if (at != nullptr && at->shard != start.shard) at = nullptr;
    --in_flight_;
    if (verdict.kind == Kind::delivered) {
        outcome.verdict = Verdict::delivered;
    } else if (verdict.kind == Kind::disable_endpoint) {
        outcome.reason = domain::DeadLetterReason::gone;
    } else if (verdict.kind == Kind::abort) {
        outcome.reason = domain::DeadLetterReason::aborted_by_receiver;
    } else if (at != nullptr && at->config && at->config->deleted) {
        outcome.verdict = Verdict::cancelled;
    } else if (at != nullptr && at->config && at->config->disabled) {
        outcome.reason = domain::DeadLetterReason::endpoint_disabled;
    } else if (const auto delay = start.config->retry_schedule.value_or(options_.schedule)
                                      .delay_after(delivery.attempt, random_, verdict.not_before)) {
        outcome.verdict = Verdict::retry;
        outcome.delay = *delay;
    } else {
        outcome.reason = domain::DeadLetterReason::exhausted;
    }
    if (at == nullptr) return outcome;
    if (const auto held = at->held.find(delivery.run_id); held != at->held.end())
        held->second.stage = Lane::Stage::uncommitted;
    if (verdict.kind == Kind::delivered)
        note_success(*at);
    else
        note_failure(*at, delivery.slot_taken, now, wall);
    if (verdict.kind == Kind::disable_endpoint) {
        at->suspended = true;
        marks_.gone.insert(at->id);
    }
    if (start.config->ordered)
        at->kept_slot = delivery.run_id;
    else
        release_slot(*at);
    return outcome;
}

void Dispatcher::attempt_filtered(const Start& start) {
    --in_flight_;
    Lane* at = find(start.delivery.endpoint);
    if (at == nullptr || at->shard != start.shard) return;
    at->breaker.on_not_started(start.delivery.slot_taken);
    at->rate.give_back();
    if (start.config->ordered)
        at->kept_slot = start.delivery.run_id;
    else
        release_slot(*at);
    if (at->held.contains(start.delivery.run_id)) end_without_attempt(*at, start.delivery, std::nullopt);
}

void Dispatcher::attempt_not_started(const Start& start) {
    --in_flight_;
    Lane* at = find(start.delivery.endpoint);
    if (at == nullptr || at->shard != start.shard) return;
    at->breaker.on_not_started(start.delivery.slot_taken);
    at->rate.give_back();
    release_slot(*at);
    const auto held = at->held.find(start.delivery.run_id);
    if (held == at->held.end()) return;
    const Shard* shard = shard_of(at->shard.shard);
    if (shard == nullptr || shard->draining || !at->config || !at->config->open()) {
        at->held.erase(held);
        return;
    }
    held->second.stage = Lane::Stage::ready;
    return_to_ready(*at, start.delivery);
}

void Dispatcher::outcome_committed(const store::Outcome& outcome, const store::Completion& completion,
                                   SteadyTime now) {
    Lane* at = find(outcome.endpoint);
    if (at == nullptr || at->shard != outcome.shard) return;
    if (at->held.erase(outcome.run_id) == 0) return;
    if (at->probing) at->ended_during_probe.insert(outcome.run_id);
    if (at->kept_slot == outcome.run_id) {
        at->kept_slot.reset();
        release_slot(*at);
    }
    if (at->ordered()) want_probe(*at);  // for the next in its order
    if (!completion.applied) {
        want_probe(*at);
    } else if (outcome.verdict == store::Outcome::Verdict::retry) {
        const SteadyTime due = now + completion.due_in;
        at->next_due = at->next_due ? std::min(*at->next_due, due) : due;
    }
    enqueue(*at);
}

void Dispatcher::note_success(Lane& lane) {
    lane.concurrency.on_success(lane.slots);
    if (lane.breaker.state() != domain::CircuitBreaker::State::closed) marks_.circuits[lane.id].reset();
    lane.breaker.on_success();
    if (!lane.failing_since) return;
    lane.failing_since.reset();
    marks_.note_recovered(lane.id);
}

void Dispatcher::note_failure(Lane& lane, SteadyTime started, SteadyTime now, SystemTime wall) {
    lane.concurrency.on_failure(lane.slots);
    const auto opened_before = lane.breaker.opens_at();
    lane.breaker.on_failure(now, started);
    if (const auto opens = lane.breaker.opens_at(); opens && opens != opened_before)
        marks_.circuits[lane.id] = wall + std::chrono::duration_cast<SystemTime::duration>(*opens - now);
    if (!lane.failing_since) {
        lane.failing_since = wall;
        marks_.note_failing(lane.id);
    } else if (options_.disable_after.count() > 0 && wall - *lane.failing_since >= options_.disable_after) {
        lane.suspended = true;
        marks_.failed_too_long.insert(lane.id);
    }
}

}  // namespace posthorn::workers
