#include "sim/database.hpp"

#include <algorithm>

#include "domain/shard.hpp"

namespace posthorn::sim {

namespace {
// Three times wal_writer_delay: what PostgreSQL promises of asynchronous commits.
constexpr std::chrono::milliseconds longest_not_durable{600};

std::chrono::microseconds until(SystemTime due, SystemTime now) { return due - now; }
}  // namespace

// ---- the admin API's side

void Database::add_endpoint(store::EndpointRow row) {
    row.shard = domain::shard_of(row.id);
    row.version = 1;
    const auto id = row.id;
    endpoints_.emplace(id, std::move(row));
}

void Database::change_endpoint(EndpointId endpoint, const std::function<void(store::EndpointRow&)>& change) {
    auto& row = endpoints_.at(endpoint);
    const bool was_disabled = row.disabled;
    change(row);
    if (was_disabled && !row.disabled) row.failing_since.reset();
    record_change(endpoint);
    committed(true);
}

void Database::record_change(EndpointId endpoint) {
    auto& row = endpoints_.at(endpoint);
    changes_[endpoint] = {row.shard, ++row.version, std::nullopt, std::nullopt};
    on_endpoint_change();
}

bool Database::is_acknowledged(EndpointId endpoint, std::optional<store::ProcessRow>& owner) const {
    const auto& change = changes_.at(endpoint);
    const auto& lease = leases_[static_cast<std::size_t>(change.shard)];
    owner.reset();
    if (!lease.owner) return true;
    const auto at = processes_.find(*lease.owner);
    owner = at != processes_.end() ? at->second : store::ProcessRow{*lease.owner, -1, true};
    return change.acked_version == change.version && change.acked_epoch == lease.epoch;
}

bool Database::replay(EndpointId endpoint, MessageId message) {
    const DeliveryKey key{endpoint, message};
    const auto& row = endpoints_.at(endpoint);
    if (deliveries_.contains(key) || row.disabled || row.deleted) return false;
    dead_letters_.erase(key);
    Delivery delivery;
    delivery.row = {row.application, endpoint, message, 1, true, ++last_run_id_, {}, {}};
    delivery.shard = row.shard;
    delivery.ordered = row.ordered;
    delivery.due_at = time();
    insert_delivery(std::move(delivery));
    committed(true);
    return true;
}

// ---- ingest

store::AcceptedBatch Database::accept(const std::vector<store::NewMessage>& messages) {
    store::AcceptedBatch batch;
    for (const auto& message : messages) {
        const auto& application = std::get<ApplicationId>(message.application);
        if (messages_.contains(message.id)) {
            batch.messages.push_back(store::Acceptance::accepted_before);
            continue;
        }
        if (message.idempotency_key) {
            const auto key = std::pair(application, *message.idempotency_key);
            if (!keys_.try_emplace(key, store::KeyHolder{message.id, message.body_hash}).second) {
                batch.messages.push_back(store::Acceptance::key_taken);
                continue;
            }
        }
        batch.messages.push_back(store::Acceptance::accepted);
        messages_[message.id] = {application, message.payload, message.extras};
        const auto due = message.extras && message.extras->deliver_at
                             ? std::max(time(), *message.extras->deliver_at)
                             : time();
        for (const auto& [id, endpoint] : endpoints_) {
            if (endpoint.application != application || endpoint.disabled || endpoint.deleted) continue;
            Delivery delivery;
            delivery.row = {application, id, message.id, 1, false, ++last_run_id_, {}, {}};
            delivery.shard = endpoint.shard;
            delivery.ordered = endpoint.ordered;
            delivery.due_at = due;
            const bool from_table = endpoint.ordered || due > time();
            insert_delivery(delivery);
            batch.deliveries.push_back({application, id, message.id, endpoint.shard, delivery.row.run_id,
                                        from_table, deliveries_.at({id, message.id}).row.place});
        }
    }
    on_accepted(batch);
    return batch;
}

std::optional<store::KeyHolder> Database::key_holder(ApplicationId application,
                                                     const std::string& key) const {
    const auto at = keys_.find({application, key});
    if (at == keys_.end()) return std::nullopt;
    return at->second;
}

// ---- workers: reading

std::vector<store::BackloggedEndpoint> Database::list_backlogged_endpoints(
    const std::vector<int>& shards) const {
    std::set<std::pair<int, EndpointId>> found;
    for (const auto& [key, delivery] : deliveries_)
        if (std::find(shards.begin(), shards.end(), delivery.shard) != shards.end())
            found.emplace(delivery.shard, key.first);
    std::vector<store::BackloggedEndpoint> list;
    for (const auto& [shard, endpoint] : found) list.push_back({shard, endpoint});
    return list;
}

std::vector<store::DeliveryRow> Database::probe_endpoints(
    const std::vector<store::ProbeTarget>& targets) const {
    std::vector<store::DeliveryRow> rows;
    for (const auto& target : targets) {
        std::vector<const Delivery*> found;
        for (auto at = deliveries_.lower_bound({target.endpoint, MessageId{}});
             at != deliveries_.end() && at->first.first == target.endpoint; ++at)
            if (at->second.shard == target.shard && at->second.due_at >= target.watermark)
                found.push_back(&at->second);
        std::sort(found.begin(), found.end(), [](const Delivery* a, const Delivery* b) {
            return std::pair(a->due_at, a->row.run_id) < std::pair(b->due_at, b->row.run_id);
        });
        if (std::ssize(found) > target.count) found.resize(static_cast<std::size_t>(target.count));
        for (const Delivery* one : found) {
            rows.push_back(one->row);
            rows.back().due_in = until(one->due_at, time());
        }
    }
    return rows;
}

std::vector<store::DeliveryRow> Database::probe_ordered_endpoints(
    const std::vector<EndpointId>& endpoints) const {
    std::vector<store::DeliveryRow> rows;
    for (const auto endpoint : endpoints) {
        const Delivery* head = nullptr;
        const auto before = [](const Delivery& a, const Delivery& b) {
            if (a.ordered != b.ordered) return a.ordered;
            if (a.ordered) return a.row.run_id < b.row.run_id;
            return std::pair(a.due_at, a.row.run_id) < std::pair(b.due_at, b.row.run_id);
        };
        for (auto at = deliveries_.lower_bound({endpoint, MessageId{}});
             at != deliveries_.end() && at->first.first == endpoint; ++at)
            if (head == nullptr || before(at->second, *head)) head = &at->second;
        if (head == nullptr) continue;
        rows.push_back(head->row);
        rows.back().due_in = until(head->due_at, time());
    }
    return rows;
}

std::vector<store::PayloadRow> Database::load_payloads(const std::vector<ApplicationId>& applications,
                                                       const std::vector<MessageId>& messages,
                                                       std::int64_t limit_bytes) const {
    std::vector<store::PayloadRow> rows;
    std::int64_t before = 0;
    for (std::size_t i = 0; i < messages.size(); ++i) {
        const auto at = messages_.find(messages[i]);
        if (at == messages_.end() || at->second.application != applications[i]) continue;
        const bool later = before >= limit_bytes;
        rows.push_back({messages[i], later ? nullptr : at->second.payload, at->second.extras, later});
        before += std::ssize(*at->second.payload);
    }
    return rows;
}

std::vector<store::EndpointRow> Database::load_endpoints(const std::vector<EndpointId>& endpoints) const {
    std::vector<store::EndpointRow> rows;
    for (const auto endpoint : endpoints)
        if (const auto at = endpoints_.find(endpoint); at != endpoints_.end()) rows.push_back(at->second);
    return rows;
}

// ---- workers: outcomes

bool Database::is_owner(store::HeldShard shard) const {
    return leases_[static_cast<std::size_t>(shard.shard)].epoch == shard.epoch;
}

void Database::log(const store::Outcome& outcome) {
    if (!outcome.record) return;
    const Attempt attempt{outcome.endpoint, outcome.message,           outcome.run_id,
                          outcome.attempt,  outcome.record->succeeded, outcome.record->status};
    if (attempts_.emplace(outcome.record->id, attempt).second)
        note_undo([this, id = outcome.record->id] { attempts_.erase(id); });
}

std::vector<store::Completion> Database::complete_deliveries(const std::vector<store::Outcome>& outcomes) {
    using Verdict = store::Outcome::Verdict;
    std::vector<store::Completion> completions(outcomes.size());
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        const auto& outcome = outcomes[i];
        log(outcome);
        const DeliveryKey key{outcome.endpoint, outcome.message};
        const auto at = deliveries_.find(key);
        if (at == deliveries_.end() || !is_owner(outcome.shard)) continue;
        Delivery& delivery = at->second;
        if (delivery.row.run_id != outcome.run_id || delivery.row.attempt != outcome.attempt ||
            outcome.verdict == Verdict::logged_only)
            continue;
        completions[i].applied = true;
        if (outcome.verdict == Verdict::retry) {
            const auto place = new_place();
            note_undo([this, key, old = delivery, place] {
                std::erase(free_places_, old.row.place);
                free_places_.push_back(place);
                deliveries_[key] = old;
            });
            free_places_.push_back(delivery.row.place);
            delivery.row.attempt += 1;
            delivery.row.place = place;
            delivery.due_at = time() + outcome.delay;
            completions[i].due_in = outcome.delay;
            continue;
        }
        if (outcome.verdict == Verdict::dead_letter)
            set_dead_letter(key, DeadLetter{*outcome.reason, delivery.row.attempt, outcome.run_id});
        else if (delivery.row.manual)
            set_dead_letter(key, std::nullopt);
        remove(key);
    }
    return completions;
}

std::vector<store::Completion> Database::complete_plain_deliveries(
    const std::vector<store::Outcome>& outcomes) {
    std::vector<store::Completion> completions(outcomes.size());
    std::vector<DeliveryKey> removed;
    for (const auto& [key, delivery] : deliveries_) {
        const bool met = std::any_of(outcomes.begin(), outcomes.end(), [&](const store::Outcome& outcome) {
            return outcome.place == delivery.row.place;
        });
        if (!met) continue;
        for (std::size_t i = 0; i < outcomes.size(); ++i)
            if (outcomes[i].run_id == delivery.row.run_id && outcomes[i].attempt == delivery.row.attempt &&
                is_owner(outcomes[i].shard)) {
                completions[i].applied = true;
                removed.push_back(key);
            }
    }
    for (const auto& outcome : outcomes) log(outcome);
    for (const auto& key : removed) remove(key);
    return completions;
}

std::int64_t Database::end_deliveries_of_endpoint(store::HeldShard shard, ApplicationId application,
                                                  EndpointId endpoint,
                                                  std::optional<domain::DeadLetterReason> reason,
                                                  const std::vector<MessageId>& except, int limit) {
    if (!is_owner(shard)) return 0;
    std::vector<std::pair<SystemTime, DeliveryKey>> chosen;
    for (const auto& [key, delivery] : deliveries_)
        if (key.first == endpoint && delivery.shard == shard.shard &&
            delivery.row.application == application &&
            std::find(except.begin(), except.end(), key.second) == except.end())
            chosen.emplace_back(delivery.due_at, key);
    std::sort(chosen.begin(), chosen.end());
    if (std::ssize(chosen) > limit) chosen.resize(static_cast<std::size_t>(limit));
    for (const auto& [due, key] : chosen) {
        const auto& row = deliveries_.at(key).row;
        if (reason) set_dead_letter(key, DeadLetter{*reason, row.attempt - 1, row.run_id});
        remove(key);
    }
    return std::ssize(chosen);
}

void Database::mark_endpoints_failing(const std::vector<EndpointId>& endpoints) {
    for (const auto endpoint : endpoints)
        if (auto& row = endpoints_.at(endpoint); !row.failing_since && !row.disabled)
            row.failing_since = time();
}

void Database::mark_endpoints_recovered(const std::vector<EndpointId>& endpoints) {
    for (const auto endpoint : endpoints) endpoints_.at(endpoint).failing_since.reset();
}

bool Database::disable_endpoint(EndpointId endpoint, const std::string&,
                                std::optional<std::chrono::seconds> failing_for) {
    auto& row = endpoints_.at(endpoint);
    if (row.disabled || row.deleted) return false;
    if (failing_for && !(row.failing_since && *row.failing_since < time() - *failing_for)) return false;
    row.disabled = true;
    record_change(endpoint);
    return true;
}

// ---- workers: ownership

void Database::register_process(ProcessId id, bool worker) { processes_[id] = {id, 0, worker}; }

bool Database::renew_process(ProcessId id) {
    const auto at = processes_.find(id);
    if (at == processes_.end()) return false;
    ++at->second.counter;
    return true;
}

void Database::unregister_process(ProcessId id) { processes_.erase(id); }

std::vector<store::ProcessRow> Database::read_processes() const {
    std::vector<store::ProcessRow> rows;
    for (const auto& [id, row] : processes_) rows.push_back(row);
    return rows;
}

std::vector<store::LeaseRow> Database::read_leases() const { return {leases_.begin(), leases_.end()}; }

std::vector<store::HeldShard> Database::take_shards(ProcessId id, const std::vector<store::HeldShard>& seen,
                                                    const std::vector<store::DeadOwner>& dead) {
    const auto may_be_taken = [&](const store::LeaseRow& lease) {
        if (!lease.owner || lease.owner == id) return true;
        const auto owner = processes_.find(*lease.owner);
        if (owner == processes_.end()) return true;
        return std::find(dead.begin(), dead.end(), store::DeadOwner{owner->first, owner->second.counter}) !=
               dead.end();
    };
    std::vector<store::HeldShard> taken;
    for (const auto& wanted : seen) {
        auto& lease = leases_[static_cast<std::size_t>(wanted.shard)];
        if (lease.epoch != wanted.epoch || !may_be_taken(lease)) continue;
        lease.owner = id;
        ++lease.epoch;
        taken.push_back({wanted.shard, lease.epoch});
    }
    return taken;
}

void Database::forget_other_processes(ProcessId id) {
    std::erase_if(processes_, [&](const auto& entry) { return entry.first != id; });
    for (auto& lease : leases_)
        if (lease.owner != id) lease.owner.reset();
}

void Database::release_shards(ProcessId id, const std::vector<store::HeldShard>& held) {
    for (const auto& one : held) {
        auto& lease = leases_[static_cast<std::size_t>(one.shard)];
        if (lease.epoch == one.epoch && lease.owner == id) lease.owner.reset();
    }
}

std::vector<store::EndpointChange> Database::unacknowledged_changes(
    const std::vector<store::HeldShard>& held) const {
    std::vector<store::EndpointChange> list;
    for (const auto& [endpoint, change] : changes_)
        for (const auto& one : held)
            if (one.shard == change.shard &&
                (change.acked_version != change.version || change.acked_epoch != one.epoch))
                list.push_back({endpoint, change.shard, change.version});
    return list;
}

void Database::acknowledge_changes(const std::vector<store::EndpointChange>& changes,
                                   const std::vector<store::HeldShard>& held) {
    for (const auto& one : changes) {
        const auto at = changes_.find(one.endpoint);
        if (at == changes_.end() || at->second.version != one.version) continue;
        for (const auto& shard : held)
            if (shard.shard == one.shard) {
                at->second.acked_version = one.version;
                at->second.acked_epoch = shard.epoch;
            }
    }
}

// ---- rows, and what is durable

store::RowPlace Database::new_place() {
    if (free_places_.size() > 8) {
        const auto place = free_places_.front();
        free_places_.erase(free_places_.begin());
        return place;
    }
    return {++last_place_, 1};
}

void Database::insert_delivery(Delivery delivery) {
    delivery.row.place = new_place();
    const DeliveryKey key{delivery.row.endpoint, delivery.row.message};
    deliveries_.emplace(key, std::move(delivery));
}

void Database::remove(const DeliveryKey& key) {
    const auto at = deliveries_.find(key);
    free_places_.push_back(at->second.row.place);
    note_undo([this, key, old = at->second] {
        std::erase(free_places_, old.row.place);
        deliveries_[key] = old;
    });
    deliveries_.erase(at);
}

void Database::set_dead_letter(const DeliveryKey& key, std::optional<DeadLetter> letter) {
    const auto at = dead_letters_.find(key);
    std::optional<DeadLetter> old;
    if (at != dead_letters_.end()) old = at->second;
    if (old == letter) return;
    note_undo([this, key, old] {
        if (old)
            dead_letters_[key] = *old;
        else
            dead_letters_.erase(key);
    });
    if (letter)
        dead_letters_[key] = *letter;
    else
        dead_letters_.erase(at);
}

void Database::note_undo(std::function<void()> action) {
    if (!commit_open_) undo_.push_back({clock_.steady_now(), {}});
    commit_open_ = true;
    undo_.back().actions.push_back(std::move(action));
}

void Database::committed(bool synchronously) {
    commit_open_ = false;
    if (synchronously) undo_.clear();
}

void Database::crash(double kept) {
    const auto durable = std::find_if(undo_.begin(), undo_.end(), [&](const Undo& commit) {
        return commit.at + longest_not_durable > clock_.steady_now();
    });
    undo_.erase(undo_.begin(), durable);
    const auto lost = static_cast<std::size_t>((1 - kept) * static_cast<double>(undo_.size()));
    for (std::size_t i = 0; i < lost; ++i) {
        auto& actions = undo_.back().actions;
        for (auto action = actions.rbegin(); action != actions.rend(); ++action) (*action)();
        undo_.pop_back();
    }
    undo_.clear();
}

}  // namespace posthorn::sim
