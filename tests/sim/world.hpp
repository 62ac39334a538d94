#pragma once
#include <functional>
#include <map>

#include "base/clock.hpp"
#include "base/random.hpp"

namespace posthorn::sim {

// Time, chance, and what happens next outside of the processes. Everything random is drawn here: the seed
// tells all.
class World {
public:
    explicit World(std::uint64_t seed) : random_(seed), clock_(SystemTime(std::chrono::days(20'000))) {}

    // -- time: the monotonic clock of every process, and the database's clock
    const Clock& clock() const { return clock_; }
    SteadyTime now() const { return clock_.steady_now(); }
    SystemTime database_now() const { return clock_.system_now(); }
    void jump_database_clock(std::chrono::microseconds forward) { clock_.jump_wall_clock(forward); }

    // -- chance
    std::uint64_t draw(std::uint64_t below) { return random_.next() % below; }
    bool chance(double probability) { return random_.unit() < probability; }
    Duration between(Duration least, Duration most) {
        return least + Duration(static_cast<Duration::rep>(
                           draw(static_cast<std::uint64_t>((most - least).count()) + 1)));
    }

    // -- what happens
    void at(SteadyTime time, std::function<void()> what) {
        events_.emplace(std::pair(std::max(time, now()), ++last_number_), std::move(what));
    }
    void after(Duration delay, std::function<void()> what) { at(now() + delay, std::move(what)); }
    std::optional<SteadyTime> next_event() const {
        if (events_.empty()) return std::nullopt;
        return events_.begin()->first.first;
    }
    bool run_due_event() {
        if (events_.empty() || events_.begin()->first.first > now()) return false;
        const auto first = events_.extract(events_.begin());
        first.mapped()();
        return true;
    }
    void advance_to(SteadyTime time) {
        if (time > now()) clock_.advance(time - now());
    }

private:
    Random random_;
    ManualClock clock_;
    std::uint64_t last_number_ = 0;
    std::map<std::pair<SteadyTime, std::uint64_t>, std::function<void()>> events_;
};

}  // namespace posthorn::sim
