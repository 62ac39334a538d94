#include "sim/history.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace posthorn::sim {

namespace {
// Between a decision and its effect: statements and answers under way.
constexpr std::chrono::milliseconds clock_tolerance{1};
constexpr std::size_t most_violations = 20;

bool is_success(int status) { return status >= 200 && status < 300; }

std::int64_t milliseconds_of(SteadyTime time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}
}  // namespace

std::string History::text(const Send& send) {
    return fmt::format("{} ms: process {} sent {} to {}{}, status {}", milliseconds_of(send.first_byte),
                       send.process, send.message.str(), send.endpoint.str(),
                       send.cut ? ", cut" : (send.arrived ? "" : ", not arrived"), send.status);
}

std::string History::at_now(const std::string& what) const {
    return fmt::format("{} ms: {}", milliseconds_of(world_.now()), what);
}

void History::tell(const std::string& what) const { spdlog::debug(at_now(what)); }

void History::violated(const std::string& what) {
    tell(what);
    if (violations_.size() < most_violations) violations_.push_back(at_now(what));
}

// ---- while it happens

History::Send& History::began(Send send) {
    tell(fmt::format("process {} sends {} to {}", send.process, send.message.str(), send.endpoint.str()));
    sends_.push_back(send);
    Send& kept = sends_.back();
    kept.began = world_.database_now();
    if (closed_.contains(send.endpoint)) violated("I6: a byte after the end was answered: " + text(kept));
    check_order(kept);
    check_time(kept);
    by_delivery_[{send.endpoint, send.message}].push_back(&kept);
    return kept;
}

void History::check_order(const Send& send) {
    if (!database_.endpoint(send.endpoint).ordered) return;
    const auto own = database_.deliveries().find({send.endpoint, send.message});
    if (own == database_.deliveries().end()) return;  // a duplicate: judged at the end
    for (auto at = database_.deliveries().lower_bound({send.endpoint, MessageId{}});
         at != database_.deliveries().end() && at->first.first == send.endpoint; ++at)
        if (at->second.row.run_id < own->second.row.run_id)
            violated("I7: an earlier one has not ended: " + text(send));
}

void History::check_time(const Send& send) {
    const auto row = database_.deliveries().find({send.endpoint, send.message});
    if (row != database_.deliveries().end() && row->second.due_at > world_.database_now() + clock_tolerance)
        violated("I8: before its time: " + text(send));
}

void History::process_ended(int process) {
    for (auto& send : sends_)
        if (send.process == process && send.last_byte > world_.now()) send.cut = true;
}

void History::arrived(Send& send, bool signature_is_right, const std::string& body) {
    send.arrived = true;
    if (!signature_is_right) violated("I11: a wrong signature: " + text(send));
    const auto message = database_.messages().find(send.message);
    if (message == database_.messages().end() || *message->second.payload != body)
        violated("I12: other bytes than were accepted: " + text(send));
}

void History::accepted(const std::string& key, MessageId message) {
    const auto [at, first] = accepted_.try_emplace(key, message);
    if (!first && at->second != message)
        violated(
            fmt::format("I2: key {} gave two messages, {} and {}", key, at->second.str(), message.str()));
    const auto kept = database_.messages().find(message);
    if (kept == database_.messages().end())
        violated("I1: an accepted message is not in the database: " + message.str());
    else if (*kept->second.payload != bodies_.at(key))
        violated("I12: kept otherwise than submitted: " + message.str());
}

void History::deliveries_made(const store::AcceptedBatch& batch) {
    for (const auto& one : batch.deliveries)
        made_.emplace(std::pair(one.endpoint, one.message), world_.now());
}

void History::replayed(EndpointId endpoint, MessageId message) {
    tell(fmt::format("replay of {} for {}", message.str(), endpoint.str()));
    replays_[{endpoint, message}].push_back(world_.now());
}

void History::closed(EndpointId endpoint) {
    tell(endpoint.str() + " is closed, as was answered");
    closed_.insert(endpoint);
    for (const auto& send : sends_)
        if (send.endpoint == endpoint && !send.cut && send.first_byte <= world_.now() &&
            send.last_byte > world_.now())
            violated("I6: still being sent when the end was answered: " + text(send));
}

void History::opened(EndpointId endpoint) {
    tell(endpoint.str() + " is to be enabled");
    closed_.erase(endpoint);
}

void History::disrupted(std::optional<int> process, SteadyTime from, SteadyTime until) {
    disruptions_.push_back({process, from, until});
}

std::optional<SteadyTime> History::first_send(const Database::DeliveryKey& key) const {
    const auto at = by_delivery_.find(key);
    if (at == by_delivery_.end()) return std::nullopt;
    return at->second.front()->first_byte;
}

// ---- at the end

void History::check_end(int attempts_of_schedule) {
    check_messages();
    check_ends(attempts_of_schedule);
    check_duplicates();
}

void History::check_messages() {
    std::map<std::string, int> kept;
    for (const auto& [id, message] : database_.messages()) ++kept[*message.payload];
    for (const auto& [key, body] : bodies_)
        if (kept[body] > 1) violated(fmt::format("I2: {} messages of key {}", kept[body], key));
    for (const auto& [key, message] : accepted_)
        if (!database_.messages().contains(message)) violated("I1: lost: " + message.str());
}

void History::check_ends(int attempts_of_schedule) {
    for (const auto& [key, delivery] : database_.deliveries())
        violated(fmt::format("I3: has not ended: {} for {}, attempt {}", key.second.str(), key.first.str(),
                             delivery.row.attempt));
    std::map<Database::DeliveryKey, int> logged, logged_successes;
    for (const auto& [id, attempt] : database_.attempts()) {
        ++logged[{attempt.endpoint, attempt.message}];
        if (attempt.succeeded) ++logged_successes[{attempt.endpoint, attempt.message}];
    }
    for (const auto& [key, since] : made_) {
        int successes = 0;
        const auto sent = by_delivery_.find(key);
        if (sent != by_delivery_.end())
            for (const Send* send : sent->second) successes += send->arrived && is_success(send->status);
        const auto letter = database_.dead_letters().find(key);
        const bool dead = letter != database_.dead_letters().end();
        if (successes == 0 && !dead && !database_.endpoint(key.first).deleted)
            violated(fmt::format("I1: never received and no dead letter: {} for {}", key.second.str(),
                                 key.first.str()));
        if (logged_successes[key] > successes)
            violated(fmt::format("I10: more successes logged than happened: {} for {}", key.second.str(),
                                 key.first.str()));
        if (successes > 0 && logged_successes[key] == 0 && !dead && !database_.endpoint(key.first).deleted)
            violated(fmt::format("I10: no success logged: {} for {}", key.second.str(), key.first.str()));
        if (dead && letter->second.reason == domain::DeadLetterReason::exhausted &&
            letter->second.attempts < attempts_of_schedule)
            violated(fmt::format("I3: exhausted after {} attempts: {} for {}", letter->second.attempts,
                                 key.second.str(), key.first.str()));
    }
}

// After a success nothing more is sent but for a replay, or once for each disruption. A failure's Retry-After
// is kept.
void History::check_duplicates() {
    for (const auto& [key, sends] : by_delivery_) {
        std::set<const Disruption*> used;
        for (std::size_t i = 1; i < sends.size(); ++i) {
            const Send& before = *sends[i - 1];
            const Send& after = *sends[i];
            const auto& replays = replays_[key];
            const bool replayed = std::any_of(replays.begin(), replays.end(), [&](SteadyTime time) {
                return time >= before.first_byte && time <= after.first_byte;
            });
            if (replayed) continue;
            const auto excuse = [&] {
                for (const auto& one : disruptions_) {
                    const bool concerns = !one.process || *one.process == before.process;
                    const bool between = one.until >= before.first_byte && one.from <= after.first_byte;
                    if (concerns && between && used.insert(&one).second) return true;
                }
                return false;
            };
            if (before.arrived && is_success(before.status)) {
                ++duplicates_;
                if (!excuse())
                    violated("I5: sent again after a success and without a cause: " + text(before) +
                             "; then " + text(after));
            } else if (before.retry_after && before.arrived &&
                       after.began < before.began + *before.retry_after && !excuse()) {
                violated("I8: earlier than Retry-After said: " + text(before) + "; then " + text(after));
            }
        }
    }
}

}  // namespace posthorn::sim
