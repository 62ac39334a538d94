#include "workers/shard_owner.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <charconv>
#include <spdlog/spdlog.h>

#include "async/task.hpp"
#include "base/crash_point.hpp"
#include "base/encoding.hpp"

namespace posthorn::workers {

using boost::asio::awaitable;
using boost::asio::use_awaitable;

namespace {

constexpr std::chrono::milliseconds poll_interval{250};
constexpr std::chrono::seconds full_list_interval{30};
constexpr std::chrono::milliseconds reconnect_pause{100};
constexpr std::chrono::milliseconds clock_round_trip_limit{
    100};  // slower answers say too little about the time

// Runs `f` on another loop's thread and waits for it.
template <class F>
awaitable<void> on_loop(WorkerLoop& loop, F f) {
    co_await boost::asio::co_spawn(
        loop.executor(),
        [](F body) -> awaitable<void> {
            body();
            co_return;
        }(std::move(f)),
        use_awaitable);
}

std::vector<int> numbers_of(const std::vector<store::HeldShard>& shards) {
    std::vector<int> numbers;
    for (const auto& shard : shards) numbers.push_back(shard.shard);
    return numbers;
}

}  // namespace

ShardOwner::ShardOwner(boost::asio::any_io_executor executor, OwnerOptions options,
                       store::WorkerDatabase& database, std::vector<WorkerLoop*> loops, ShardMap& map,
                       Lease& lease, store::DatabaseClock& clock, const domain::SecretBox& box)
    : executor_(executor),
      options_(std::move(options)),
      database_(database),
      loops_(std::move(loops)),
      map_(map),
      lease_(lease),
      clock_(clock),
      box_(box),
      self_(ProcessId::make(clock.system_now())),
      changed_(executor),
      give_away_event_(executor) {}

awaitable<void> ShardOwner::run() {
    using namespace boost::asio::experimental::awaitable_operators;
    co_await (part_of_task("ownership", own()) && part_of_task("rebalancing", give_away()) &&
              part_of_task("notifications", listen()));
}

awaitable<void> ShardOwner::own() {
    std::unique_ptr<store::WorkerSession> session;
    while (true) {
        bool failed = false;
        try {
            if (!session || !session->usable())
                session = co_await database_.open(executor_, store::SessionUse::owner);
            co_await step(*session);
        } catch (const store::DatabaseError& error) {
            spdlog::warn("the lease can not be renewed: {}", error.what());
            failed = true;
        }
        if (failed)
            co_await sleep_for(reconnect_pause);
        else
            co_await changed_.wait(clock_.steady_now() + poll_interval);
    }
}

awaitable<void> ShardOwner::step(store::WorkerSession& session) {
    const auto began = clock_.steady_now();
    const bool renewing = !enrolled_ || began - renewed_at_ >= store::renewal_interval;
    if (renewing) co_await renew(session);
    const auto processes = co_await session.read_processes();
    if (is_put_back(processes, renewing)) {
        spdlog::warn("the database has gone back to an earlier state; what is known of it is read anew");
        co_await lose(held());
    }
    const auto leases = co_await session.read_leases();
    co_await follow_leases(leases);
    co_await acknowledge(session);
    if (renewing) {
        // Only now: what was taken from us before the renewal has been given up, and who changed an endpoint
        // and took us for dead meanwhile has not waited for us (I6).
        lease_.extend_until(began + store::lease_duration - store::lease_margin);
        renewed_at_ = began;
    }
    liveness_.observe(processes, leases, clock_.steady_now());
    if (!ending_) co_await balance(session, leases);
    if (clock_.steady_now() - listed_at_ >= full_list_interval) co_await list_in_turn();
}

awaitable<void> ShardOwner::balance(store::WorkerSession& session,
                                    const std::vector<store::LeaseRow>& leases) {
    const auto plan = plan_shards(self_, leases, liveness_, held_);
    if (!plan.take.empty()) {
        auto taken = co_await session.take_shards(self_, plan.take, plan.dead);
        crash_point(CrashPoint::shards_taken);
        if (!taken.empty()) changed_.set();  // their changes are acknowledged at once, by the next step
        co_await take(std::move(taken));
        crash_point(CrashPoint::shards_gained);
    }
    for (const int shard : plan.release) {
        const auto at = held_.find(shard);
        const bool leaving = std::any_of(leaving_.begin(), leaving_.end(),
                                         [&](const auto& one) { return one.shard == shard; });
        if (at == held_.end() || leaving) continue;
        leaving_.push_back({shard, at->second});
        give_away_event_.set();
    }
}

awaitable<void> ShardOwner::renew(store::WorkerSession& session) {
    crash_point(CrashPoint::lease_before_renewal);
    if (!enrolled_) {
        co_await enroll(session);
    } else if (!co_await session.renew_process(self_)) {
        spdlog::warn("this process was taken for dead; it enrolls again");
        co_await lose(held());
        co_await enroll(session);
    }
    crash_point(CrashPoint::lease_renewed);
    const auto asked = clock_.steady_now();
    const auto time = co_await session.database_time();
    const auto answered = clock_.steady_now();
    if (answered - asked < clock_round_trip_limit) clock_.follow(time, asked + (answered - asked) / 2);
}

awaitable<void> ShardOwner::enroll(store::WorkerSession& session) {
    self_ = ProcessId::make(clock_.system_now());
    counter_ = -1;
    co_await session.register_process(self_, true, options_.host);
    if (options_.alone) co_await session.forget_other_processes(self_);
    enrolled_ = true;
}

// A backup was restored beneath us, or a standby took over that lacks the latest commits: endpoints,
// deliveries and epochs may be others than those in memory.
bool ShardOwner::is_put_back(const std::vector<store::ProcessRow>& processes, bool renewed) {
    const auto own = std::find_if(processes.begin(), processes.end(),
                                  [&](const store::ProcessRow& row) { return row.id == self_; });
    if (own == processes.end()) return false;  // the next renewal finds it out
    const auto least = counter_ + (renewed ? 1 : 0);
    counter_ = own->counter;
    return own->counter < least;
}

// What is ours by our memory but not by the table was taken over: gone at once.
awaitable<void> ShardOwner::follow_leases(const std::vector<store::LeaseRow>& leases) {
    std::vector<store::HeldShard> lost;
    for (const auto& lease : leases) {
        const auto at = held_.find(lease.shard);
        if (at != held_.end() && (lease.owner != self_ || lease.epoch != at->second))
            lost.push_back({lease.shard, at->second});
    }
    if (lost.empty()) co_return;
    spdlog::warn("{} shards were taken over by another process", lost.size());
    co_await lose(std::move(lost));
}

// One that was taken anew meanwhile, at another epoch, stays.
awaitable<void> ShardOwner::lose(std::vector<store::HeldShard> shards) {
    for (const auto& [shard, epoch] : shards) {
        const auto at = held_.find(shard);
        if (at == held_.end() || at->second != epoch) continue;
        held_.erase(at);
        map_.set(shard, -1);
        std::erase_if(leaving_, [number = shard](const auto& one) { return one.shard == number; });
        co_await on_loop(loop_of(shard), [loop = &loop_of(shard), number = shard] { loop->lose({number}); });
    }
}

awaitable<void> ShardOwner::take(std::vector<store::HeldShard> taken) {
    for (const auto& shard : taken) {
        held_[shard.shard] = shard.epoch;
        map_.set(shard.shard, static_cast<int>(static_cast<std::size_t>(shard.shard) % loops_.size()));
    }
    for (auto& [place, shards] : by_loop(taken))
        co_await on_loop(*loops_[place], [loop = loops_[place], gained = shards] { loop->gain(gained); });
    if (!taken.empty()) spdlog::info("took {} shards, holds {}", taken.size(), held_.size());
}

std::vector<store::HeldShard> ShardOwner::held() const {
    std::vector<store::HeldShard> list;
    for (const auto& [shard, epoch] : held_) list.push_back({shard, epoch});
    return list;
}

std::map<std::size_t, std::vector<store::HeldShard>> ShardOwner::by_loop(
    const std::vector<store::HeldShard>& shards) const {
    std::map<std::size_t, std::vector<store::HeldShard>> groups;
    for (const auto& shard : shards) groups[place_of(shard.shard)].push_back(shard);
    return groups;
}

awaitable<bool> ShardOwner::drain(std::vector<store::HeldShard> shards) {
    bool clean = true;
    for (const auto& shard : shards) map_.set(shard.shard, -1);
    // All loops at once: each stops starting before the first is waited for.
    for (auto& [place, part] : by_loop(shards)) {
        auto* loop = loops_[place];
        const auto numbers = numbers_of(part);
        co_await boost::asio::co_spawn(loop->executor(), loop->drain(numbers, std::chrono::milliseconds(0)),
                                       use_awaitable);
    }
    for (auto& [place, part] : by_loop(shards)) {
        auto* loop = loops_[place];
        const auto numbers = numbers_of(part);
        clean &= co_await boost::asio::co_spawn(loop->executor(), loop->drain(numbers, options_.drain_limit),
                                                use_awaitable);
    }
    co_return clean;
}

awaitable<void> ShardOwner::give_away() {
    while (true) {
        if (leaving_.empty()) {
            co_await give_away_event_.wait();
            continue;
        }
        const auto shards = leaving_;
        if (!co_await drain(shards)) {
            // Given away now, what is in flight would be sent once more by the next owner.
            spdlog::warn("{} shards are to be given away, but outcomes still wait to be stored",
                         shards.size());
            continue;
        }
        bool failed = false;
        try {
            const auto session = co_await database_.open(executor_, store::SessionUse::release);
            co_await session->release_shards(self_, shards);
        } catch (const store::DatabaseError&) {
            failed = true;  // still drained; tried again, unless the lease was lost meanwhile
        }
        if (failed) {
            co_await sleep_for(reconnect_pause);
            continue;
        }
        co_await lose(shards);
        spdlog::info("gave {} shards away, holds {}", shards.size(), held_.size());
    }
}

awaitable<bool> ShardOwner::leave() {
    using namespace boost::asio::experimental::awaitable_operators;
    ending_ = true;
    const auto all = held();
    // A request may take longer than a lease: without renewals another process would send it again.
    const auto drained = co_await (drain(all) || own());
    const bool clean = std::get<0>(drained);
    crash_point(CrashPoint::shards_drained);
    try {
        const auto session = co_await database_.open(executor_, store::SessionUse::release);
        // Committed synchronously, and with it every outcome that was committed before.
        co_await session->release_shards(self_, all);
        crash_point(CrashPoint::shards_released);
        co_await session->unregister_process(self_);
    } catch (const store::DatabaseError& error) {
        spdlog::warn("the shards could not be released: {}", error.what());
        co_return false;
    }
    lease_.end();
    co_return clean;
}

// ---- changes of endpoints, wake-ups

awaitable<void> ShardOwner::acknowledge(store::WorkerSession& session) {
    const auto held = this->held();
    if (held.empty()) co_return;
    const auto changes = co_await session.unacknowledged_changes(held);
    if (changes.empty()) co_return;
    std::vector<EndpointId> endpoints;
    std::map<EndpointId, int> shard_of;
    for (const auto& change : changes) {
        endpoints.push_back(change.endpoint);
        shard_of[change.endpoint] = change.shard;
    }
    std::map<std::size_t, std::vector<std::shared_ptr<const EndpointConfig>>> configs;
    for (auto& config : co_await load_configs(session, box_, endpoints))
        configs[place_of(shard_of[config->id])].push_back(config);
    for (auto& [place, list] : configs)
        co_await on_loop(*loops_[place], [loop = loops_[place], applied = list] { loop->apply(applied); });
    crash_point(CrashPoint::change_applied);
    co_await session.acknowledge_changes(changes, held);
    crash_point(CrashPoint::change_acknowledged);
}

awaitable<void> ShardOwner::list_again() {
    for (auto* loop : loops_) co_await on_loop(*loop, [loop] { loop->list_again(); });
}

awaitable<void> ShardOwner::list_in_turn() {
    listed_at_ = clock_.steady_now();
    for (auto* loop : loops_) co_await on_loop(*loop, [loop] { loop->list_in_turn(); });
}

awaitable<void> ShardOwner::listen() {
    while (true) {
        try {
            const auto session = co_await database_.open(executor_, store::SessionUse::listen);
            co_await session->listen();
            co_await list_again();  // what was said while nobody listened
            while (true) {
                const auto note = co_await session->next_wake_up();
                if (note.channel == "posthorn_endpoint")
                    changed_.set();
                else
                    handle_wake_ups(note.payload);
            }
        } catch (const store::DatabaseError& error) {
            spdlog::debug("wake-ups are not heard, polling goes on: {}", error.what());
        }
        co_await sleep_for(reconnect_pause);
    }
}

// "<shard>:<endpoint as 32 hex digits>" or "<shard>:*", comma-separated; what it isn't is not ours.
void ShardOwner::handle_wake_ups(const std::string& payload) {
    std::string_view rest = payload;
    while (!rest.empty()) {
        const auto item = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(rest.size(), item.size() + 1));
        int shard = -1;
        const auto [end, error] = std::from_chars(item.data(), item.data() + item.size(), shard);
        const auto name = item.substr(std::min(item.size(), static_cast<std::size_t>(end - item.data()) + 1));
        if (error != std::errc{} || !held_.contains(shard)) continue;
        std::optional<EndpointId> endpoint;
        if (const auto bytes = hex_decode(name); bytes && bytes->size() == 16) {
            endpoint.emplace();
            std::copy(bytes->begin(), bytes->end(), endpoint->value.bytes.begin());
        }
        boost::asio::post(loop_of(shard).executor(),
                          [loop = &loop_of(shard), shard, endpoint] { loop->wake(shard, endpoint); });
    }
}

}  // namespace posthorn::workers
