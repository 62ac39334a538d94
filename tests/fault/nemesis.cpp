#include "fault/nemesis.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fstream>
#include <libpq-fe.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <stdexcept>
#include <thread>
#include <utility>

namespace posthorn::fault {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds take_over_time{6'000};  // so that it can be measured
constexpr milliseconds settling{1'500};        // of the database, after what it recovers from by itself

SteadyTime now() { return std::chrono::steady_clock::now(); }

milliseconds between(Random& random, milliseconds least, milliseconds most) {
    return least + milliseconds(random.next() % static_cast<std::uint64_t>((most - least).count()));
}

milliseconds length_of(Kind kind, Random& random) {
    switch (kind) {
        case Kind::kill:
        case Kind::terminate:
        case Kind::kill_backend:
            return milliseconds(0);
        case Kind::kill_database:
        case Kind::restart_fast:
        case Kind::restart_immediate:  // until it is started again
            return between(random, milliseconds(100), milliseconds(3'000));
        case Kind::stall:  // beyond a lease
            return between(random, milliseconds(6'000), milliseconds(9'000));
        default:
            return between(random, milliseconds(1'000), milliseconds(10'000));
    }
}

PlannedFault planned(milliseconds at, Kind kind, Random& random) {
    const auto lasts = length_of(kind, random);
    return {at, lasts, kind, random.next()};
}

// Kinds in an order that chance tells, each once before any again.
class Bag {
public:
    Bag(const std::set<Kind>& kinds, Random& random) : kinds_(kinds.begin(), kinds.end()), random_(random) {}
    Kind take() {
        if (left_.empty()) left_ = kinds_;
        const auto at = left_.begin() + static_cast<std::ptrdiff_t>(random_.next() % left_.size());
        const auto kind = *at;
        left_.erase(at);
        return kind;
    }

private:
    std::vector<Kind> kinds_, left_;
    Random& random_;
};

}  // namespace

std::vector<PlannedFault> plan_faults(std::uint64_t seed, milliseconds length,
                                      const std::set<Kind>& allowed) {
    Random random(seed ^ 0xFA17ull);
    Bag bag(allowed, random);
    std::vector<PlannedFault> plan;
    for (auto at = milliseconds(3'000); at < length;) {
        plan.push_back(planned(at, bag.take(), random));
        const auto first = plan.back();
        auto end = at + first.lasts;
        if (random.next() % 4 == 0) {
            const auto kind = bag.take();
            const bool beside = concerns_the_database(kind) != concerns_the_database(first.kind);
            const auto begin = beside ? at + first.lasts / 2 : end + milliseconds(2'000);
            plan.push_back(planned(begin, kind, random));
            end = std::max(end, begin + plan.back().lasts);
        }
        at = end + between(random, milliseconds(1'500), milliseconds(4'500));
        if (first.kind == Kind::kill) at += take_over_time;
    }
    std::erase_if(plan, [&](const auto& one) { return one.at + one.lasts > length; });
    return plan;
}

Nemesis::Nemesis(Targets targets, FaultLog& log, std::vector<PlannedFault> plan)
    : targets_(std::move(targets)), log_(log), plan_(std::move(plan)) {}

Nemesis::~Nemesis() {
    try {
        heal();
    } catch (const std::exception& error) {
        spdlog::error("a fault could not be undone: {}", error.what());
    }
}

void Nemesis::step() {
    for (; next_ < plan_.size() && now() >= start_ + plan_[next_].at; ++next_) begin(plan_[next_]);
    for (auto& one : active_)
        if (one.heal && now() >= one.heal_at) std::exchange(one.heal, nullptr)();
    std::erase_if(active_, [&](const Active& one) {
        const bool over = !one.heal && one.recovered();
        if (over) log_.end(one.fault);
        return over;
    });
}

void Nemesis::heal() {
    next_ = plan_.size();
    for (auto& one : active_) one.heal_at = now();
    step();
}

void Nemesis::begin(const PlannedFault& planned) {
    auto active = act(planned);
    if (active)
        active_.push_back(std::move(*active));
    else
        log_.tell(fmt::format("not possible now: {}", name_of(planned.kind)));
}

Nemesis::Active Nemesis::started(const PlannedFault& planned, const std::string& target) {
    return {log_.begin(planned.kind, target), now() + planned.lasts, [] {}, [] { return true; }};
}

std::optional<Nemesis::Active> Nemesis::act(const PlannedFault& planned) {
    if (concerns_the_database(planned.kind)) return act_on_database(planned);
    switch (planned.kind) {
        case Kind::cut_link: {
            auto active = started(planned, targets_.remote->name());
            targets_.link->cut(true);
            active.heal = [this] { targets_.link->cut(false); };
            return active;
        }
        case Kind::fill_logs:
            return fill(planned, targets_.cluster.logs(), "logs");
        case Kind::clock:
            return shift_clock(planned);
        default:
            return act_on_service(planned);
    }
}

// ---- services

Service* Nemesis::choose_service(std::uint64_t draw) const {
    std::vector<Service*> running;
    for (auto* service : targets_.services)
        if (service->running() && !service->terminating()) running.push_back(service);
    return running.empty() ? nullptr : running[draw % running.size()];
}

std::optional<Nemesis::Active> Nemesis::act_on_service(const PlannedFault& planned) {
    auto* service = choose_service(planned.draw);
    if (service == nullptr) return std::nullopt;
    auto active = started(planned, service->name());
    if (planned.kind == Kind::kill) service->kill();
    if (planned.kind == Kind::terminate) service->terminate();
    if (planned.kind == Kind::stall) {
        service->stall(true);
        active.heal = [service] { service->stall(false); };
    }
    if (planned.kind == Kind::descriptors) {
        service->limit_descriptors(static_cast<int>(planned.draw % 4));
        active.heal = [service] { service->limit_descriptors(std::nullopt); };
    }
    return active;
}

Nemesis::Active Nemesis::shift_clock(const PlannedFault& planned) {
    const auto minutes = static_cast<int>(planned.draw % 2'880) - 1'440;
    auto active = started(planned, fmt::format("{} by {} min", targets_.shifted->name(), minutes));
    const auto set = [path = targets_.clock_file](std::int64_t seconds) {
        std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
        file.write(reinterpret_cast<const char*>(&seconds), sizeof seconds);
    };
    set(60 * minutes);
    active.heal = [set] { set(0); };
    return active;
}

// ---- the database

std::optional<Nemesis::Active> Nemesis::act_on_database(const PlannedFault& planned) {
    auto& cluster = targets_.cluster;
    if (!cluster.ready()) return std::nullopt;
    switch (planned.kind) {
        case Kind::kill_database:
            return restart(planned, SIGKILL);
        case Kind::restart_fast:
            return restart(planned, SIGINT);
        case Kind::restart_immediate:
            return restart(planned, SIGQUIT);
        case Kind::fill_data:
            return fill(planned, cluster.data(), "data");
        case Kind::fill_wal:
            return fill(planned, cluster.wal(), "WAL");
        case Kind::connections:
            return use_up_connections(planned);
        case Kind::stall_database: {
            auto active = started(planned, "database");
            cluster.stall(true);
            active.heal = [&cluster] { cluster.stall(false); };
            return active;
        }
        default: {
            auto active = started(planned, "database");
            cluster.kill_a_session(planned.draw);
            active.recovered = [&cluster, until = now() + 2 * settling] {
                return now() > until && cluster.ready();
            };
            return active;
        }
    }
}

Nemesis::Active Nemesis::restart(const PlannedFault& planned, int signal) {
    auto& cluster = targets_.cluster;
    auto active = started(planned, "database");
    const auto starts = cluster.starts();
    cluster.send_signal(signal, planned.lasts);
    active.recovered = [&cluster, starts] { return cluster.starts() > starts && cluster.ready(); };
    return active;
}

Nemesis::Active Nemesis::fill(const PlannedFault& planned, SmallDisk& disk, const std::string& name) {
    auto active = started(planned, name);
    if (!disk.fill()) log_.tell("the disk could not be filled");
    const auto healed = std::make_shared<SteadyTime>();
    active.heal = [&disk, healed] {
        disk.free();
        *healed = now();
    };
    active.recovered = [&cluster = targets_.cluster, healed] {
        return now() > *healed + settling && cluster.ready();
    };
    return active;
}

// Whatever becomes free is taken, too, while it lasts.
Nemesis::Active Nemesis::use_up_connections(const PlannedFault& planned) {
    auto active = started(planned, "database");
    auto taker = std::make_shared<std::jthread>(
        [conninfo = targets_.cluster.conninfo() + " connect_timeout=2"](const std::stop_token& stop) {
            std::vector<std::unique_ptr<PGconn, decltype(&PQfinish)>> taken;
            while (!stop.stop_requested()) {
                taken.emplace_back(PQconnectdb(conninfo.c_str()), &PQfinish);
                if (PQstatus(taken.back().get()) == CONNECTION_OK) continue;
                taken.pop_back();
                std::this_thread::sleep_for(milliseconds(50));
            }
        });
    active.heal = [taker] {
        taker->request_stop();
        taker->join();
    };
    return active;
}

}  // namespace posthorn::fault
