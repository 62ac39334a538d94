#include "sim/scenario.hpp"

#include <fmt/format.h>
#include <thread>

#include "sim/process.hpp"

namespace posthorn::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr seconds unrest{40};          // clients, operators and the nemesis are at work
constexpr seconds longest_peace{600};  // then everything must end
constexpr seconds takeover_limit{6};   // I3
constexpr milliseconds look_interval{100};
constexpr seconds settling{5};  // until every process has come and has its share
constexpr milliseconds calm_limit{
    1'500};  // I9: of a healthy endpoint's first request, where nothing goes wrong
constexpr std::size_t steps_at_an_instant = 100'000, steps_in_all = 5'000'000;  // beyond: it spins (I13)

const std::string signing_key = "whsec_c2ltdWxhdGVkLXNpZ25pbmcta2V5LTAxMjM0NTY3ODk=";

// Whose shards have had an owner whose counter moves. At a single instant some are on their way between
// living ones.
struct Takeover {
    std::map<ProcessId, std::int64_t> counters;
    std::set<int> owned;

    void look(const Database& database) {
        std::set<ProcessId> alive;
        for (const auto& row : database.read_processes()) {
            const auto before = counters.find(row.id);
            if (before == counters.end() || before->second < row.counter) alive.insert(row.id);
        }
        for (const auto& lease : database.leases())
            if (lease.owner && alive.contains(*lease.owner)) owned.insert(lease.shard);
    }
};

class Scenario {
public:
    explicit Scenario(std::uint64_t seed);
    Report run();

private:
    enum class Mood : std::uint8_t { calm, kills, storm };

    void make_endpoints();
    workers::WorkerOptions worker_options();
    void start_process();
    std::vector<Process*> living();
    Process* any_process();

    void plan_messages();
    void submit(const std::string& key, const std::string& body, ApplicationId application,
                std::optional<SystemTime> deliver_at);
    void plan_operators();
    void close_endpoint(EndpointId endpoint, bool for_ever);
    void await_acknowledged(EndpointId endpoint, std::function<void()> answered);
    void replay_something();

    void plan_faults();
    void do_fault();
    void kill(Process& process);
    void watch_takeover();
    void make_peace();
    void bury();

    void run_until(SteadyTime end, const std::function<bool()>& done);
    bool step();

    World world_;
    Database database_;
    Server server_;
    History history_;
    Receivers receivers_;
    domain::SecretBox box_{Secret(std::string(32, 'k'))};
    Mood mood_;
    bool peace_ = false;
    Process::Options options_;
    std::vector<ApplicationId> applications_;
    std::vector<EndpointId> endpoints_, healthy_;
    std::set<EndpointId> being_changed_;
    std::vector<std::unique_ptr<Process>> processes_;
    int last_process_ = 0;
    std::size_t wanted_processes_ = 1;
    int unanswered_ = 0;
    Report report_;
    SteadyTime began_ = world_.now();
    std::size_t steps_at_now_ = 0;
    SteadyTime last_step_{};
};

Scenario::Scenario(std::uint64_t seed)
    : world_(seed),
      database_(world_.clock()),
      server_(world_, database_),
      history_(world_, database_),
      receivers_(world_, history_, signing_key) {
    report_.seed = seed;
    seed_random_u64(seed);
    const auto mood = world_.draw(10);
    mood_ = mood == 0 ? Mood::calm : (mood <= 2 ? Mood::kills : Mood::storm);
    database_.on_accepted = [this](const store::AcceptedBatch& batch) { history_.deliveries_made(batch); };
    options_.loops = 1 + static_cast<int>(world_.draw(2));
    options_.worker_options = worker_options();
    wanted_processes_ = 1 + world_.draw(3);
    if (mood_ == Mood::kills) wanted_processes_ = 2 + world_.draw(2);
    make_endpoints();
    history_.tell(fmt::format("{} requests at a time, {} loops a process",
                              options_.worker_options.dispatcher.requests_in_flight, options_.loops));
}

workers::WorkerOptions Scenario::worker_options() {
    workers::WorkerOptions options;
    options.dispatcher.schedule = domain::RetrySchedule({seconds(1), seconds(2), seconds(4)});
    // With room for four in all, one endpoint that hangs keeps the others waiting: nothing of that is calm
    // (I9).
    options.dispatcher.requests_in_flight = world_.chance(0.2) && mood_ != Mood::calm ? 4 : 64;
    options.dispatcher.concurrency = {2, 16};
    options.dispatcher.breaker = {5, milliseconds(500), seconds(2)};
    if (world_.chance(0.2)) options.dispatcher.payload_bytes = 300;
    if (world_.chance(0.2)) options.dispatcher.waiting_deliveries = 5;
    if (world_.chance(0.2)) options.dispatcher.disable_after = seconds(15);
    options.attempt.request_timeout = seconds(3);
    return options;
}

void Scenario::make_endpoints() {
    const auto applications = 1 + world_.draw(2);
    for (std::uint64_t i = 0; i < applications; ++i)
        applications_.push_back(ApplicationId::make(world_.database_now()));
    const auto count = 2 + world_.draw(4);
    for (std::uint64_t i = 0; i < count; ++i) {
        store::EndpointRow row;
        row.id = EndpointId::make(world_.database_now());
        row.application = applications_[world_.draw(applications_.size())];
        row.url = fmt::format("https://receiver-{}.example/", i);
        row.ordered = world_.chance(0.3);
        if (world_.chance(0.15)) row.rate_limit = 2 + static_cast<int>(world_.draw(10));
        row.secrets.push_back({box_.seal(row.id, signing_key), std::nullopt});
        Behaviour behaviour;
        switch (world_.draw(6)) {
            case 0:
                behaviour.fails = 1;
                break;
            case 1:
                behaviour = {.fails = 0.3, .refuses = 0.1};
                break;
            case 2:
                behaviour = {.hangs = 0.3, .slowest = seconds(2)};
                break;
            case 3:
                behaviour = {.slows_down = 0.3, .gone = world_.chance(0.3) ? 0.05 : 0.0};
                break;
            default:
                break;
        }
        const bool healthy =
            behaviour.fails + behaviour.hangs + behaviour.slows_down + behaviour.refuses == 0;
        if (healthy && !row.ordered && row.rate_limit == 0) healthy_.push_back(row.id);
        receivers_.add_url(row.url, row.id);
        receivers_.set(row.id, behaviour);
        endpoints_.push_back(row.id);
        database_.add_endpoint(std::move(row));
    }
}

// ---- processes

void Scenario::start_process() {
    auto options = options_;
    history_.tell(fmt::format("process {} starts", last_process_ + 1));
    options.worker = processes_.empty() || world_.chance(0.9);
    processes_.push_back(std::make_unique<Process>(++last_process_, server_, receivers_, box_, options));
    processes_.back()->clock().jump(world_.between(-seconds(300), seconds(300)).count() / 1000 *
                                    std::chrono::microseconds(1));
}

std::vector<Process*> Scenario::living() {
    std::vector<Process*> list;
    for (auto& process : processes_)
        if (!process->machine().ended()) list.push_back(process.get());
    return list;
}

Process* Scenario::any_process() {
    auto list = living();
    std::erase_if(list, [](Process* one) { return one->stopping(); });
    return list.empty() ? nullptr : list[world_.draw(list.size())];
}

void Scenario::bury() {
    for (auto& process : processes_) {
        if (!process->finished() || process->machine().ended()) continue;
        if (!process->clean() && mood_ != Mood::storm)
            history_.violated(fmt::format("process {} did not stop cleanly", process->number()));
        process->machine().end();
    }
    std::erase_if(processes_, [](const auto& process) { return process->machine().ended(); });
}

// ---- clients

void Scenario::plan_messages() {
    const auto count = 5 + world_.draw(40);
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto key = fmt::format("key-{}", i);
        const auto body = fmt::format(R"({{"number":{}.50}})", i);
        const auto application = applications_[world_.draw(applications_.size())];
        history_.submitted(key, body);
        world_.after(world_.between(Duration(0), unrest), [this, key, body, application] {
            std::optional<SystemTime> deliver_at;
            if (mood_ != Mood::calm && world_.chance(0.1))
                deliver_at = world_.database_now() + seconds(1 + world_.draw(10));
            ++unanswered_;
            submit(key, body, application, deliver_at);
        });
    }
}

// Sent again, with the same key, until somebody says that it is kept.
void Scenario::submit(const std::string& key, const std::string& body, ApplicationId application,
                      std::optional<SystemTime> deliver_at) {
    const auto answered = std::make_shared<bool>(false);
    const auto again = [this, key, body, application, deliver_at, answered] {
        if (std::exchange(*answered, true)) return;
        submit(key, body, application, deliver_at);
    };
    world_.after(seconds(8), again);
    Process* process = any_process();
    if (process == nullptr) return;
    Submission submission{key, body, application, deliver_at, [this, key, answered, again](auto id) {
                              world_.after(milliseconds(1), [this, key, answered, again, id] {
                                  if (!id) return again();
                                  if (std::exchange(*answered, true)) return;
                                  --unanswered_;
                                  ++report_.messages;
                                  history_.accepted(key, *id);
                              });
                          }};
    process->submit(std::move(submission));
}

// ---- operators

void Scenario::plan_operators() {
    const auto closings = world_.draw(6), replays = world_.draw(8);
    for (std::uint64_t i = 0; i < closings; ++i)
        world_.after(world_.between(Duration(0), unrest), [this] {
            const auto endpoint = endpoints_[world_.draw(endpoints_.size())];
            close_endpoint(endpoint, world_.chance(0.2));
        });
    for (std::uint64_t i = 0; i < replays; ++i)
        world_.after(world_.between(Duration(0), unrest), [this] { replay_something(); });
}

void Scenario::close_endpoint(EndpointId endpoint, bool for_ever) {
    if (!server_.up() || database_.endpoint(endpoint).deleted) return;
    if (!being_changed_.insert(endpoint).second) return;
    std::erase(healthy_, endpoint);
    history_.tell(fmt::format("{} is to be {}", endpoint.str(), for_ever ? "deleted" : "disabled"));
    database_.change_endpoint(endpoint, [&](store::EndpointRow& row) {
        if (for_ever)
            row.deleted = true;
        else
            row.disabled = true;
    });
    await_acknowledged(endpoint, [this, endpoint, for_ever] {
        history_.closed(endpoint);
        if (for_ever) return;
        world_.after(world_.between(milliseconds(0), seconds(10)), [this, endpoint] {
            history_.opened(endpoint);
            database_.change_endpoint(endpoint, [](store::EndpointRow& row) { row.disabled = false; });
            being_changed_.erase(endpoint);
        });
    });
}

// As store/endpoint_change.cpp: until the shard's owner has acknowledged, or is dead by its counter standing
// still.
void Scenario::await_acknowledged(EndpointId endpoint, std::function<void()> answered) {
    struct Wait {
        std::optional<ProcessId> owner;
        std::int64_t counter = 0;
        Duration since{};
        store::ObservedTime time;
    };
    const auto wait = std::make_shared<Wait>();
    const auto look = std::make_shared<std::function<void()>>();
    *look = [this, endpoint, wait, weak = std::weak_ptr(look), answered = std::move(answered)] {
        std::optional<store::ProcessRow> owner;
        if (server_.up() && database_.is_acknowledged(endpoint, owner)) return answered();
        const auto now = owner ? wait->time.look(world_.now()) : Duration{};
        if (owner && (wait->owner != owner->id || wait->counter != owner->counter)) {
            wait->owner = owner->id;
            wait->counter = owner->counter;
            wait->since = now;
        } else if (owner && now - wait->since >= store::lease_duration) {
            return answered();
        }
        world_.after(milliseconds(20), [look = weak.lock()] { (*look)(); });
    };
    (*look)();
}

void Scenario::replay_something() {
    if (!server_.up() || history_.made().empty()) return;
    auto at = history_.made().begin();
    std::advance(at, static_cast<std::ptrdiff_t>(world_.draw(history_.made().size())));
    const auto [endpoint, message] = at->first;
    if (!database_.replay(endpoint, message)) return;
    history_.replayed(endpoint, message);
    if (world_.chance(0.8)) server_.notify_endpoints({{database_.endpoint(endpoint).shard, endpoint}});
}

// ---- the nemesis

void Scenario::plan_faults() {
    if (mood_ == Mood::calm) return;
    if (mood_ == Mood::storm && world_.chance(0.5)) {
        auto& troubles = server_.troubles;
        troubles.lost_before = static_cast<double>(world_.draw(10)) / 1'000;
        troubles.lost_after = static_cast<double>(world_.draw(10)) / 1'000;
        troubles.refused = static_cast<double>(world_.draw(10)) / 1'000;
        troubles.slow = static_cast<double>(world_.draw(10)) / 1'000;
        // A lost answer of the one who renews can cost the lease, and that a request.
        history_.disrupted(std::nullopt, world_.now(), SteadyTime::max());
    }
    const auto count = 1 + world_.draw(6);
    for (std::uint64_t i = 0; i < count; ++i)
        world_.after(world_.between(seconds(1), unrest), [this] { do_fault(); });
}

void Scenario::do_fault() {
    Process* victim = any_process();
    if (victim == nullptr || peace_) return;
    ++report_.faults;
    const auto now = world_.now();
    const auto length = world_.between(milliseconds(100), seconds(8));
    const auto kind = mood_ == Mood::kills ? world_.draw(2) : world_.draw(8);
    history_.tell(fmt::format("fault {} for {} ms, process {}", kind,
                              std::chrono::duration_cast<milliseconds>(length).count(), victim->number()));
    switch (kind) {
        case 0:
            kill(*victim);
            break;
        case 1:
            victim->stop();
            world_.after(world_.between(milliseconds(0), seconds(5)), [this] { start_process(); });
            break;
        case 2:  // SIGSTOP
            victim->stalled_until = std::max(victim->stalled_until, now + length);
            history_.disrupted(victim->number(), now, now + length);
            break;
        case 3:
            victim->link().cut_until = std::max(victim->link().cut_until, now + length);
            history_.disrupted(victim->number(), now, now + length + seconds(5));
            break;
        case 4:
        case 5: {
            if (!server_.up()) return;
            const bool crash = world_.chance(0.6);
            server_.go_down(crash);
            // What had ended within the last moments may be undone.
            history_.disrupted(std::nullopt, now - seconds(1), now + length + seconds(5));
            world_.after(length / 2, [this] { server_.come_up(); });
            break;
        }
        case 6:
            server_.freeze_until(now + length);
            history_.disrupted(std::nullopt, now, now + length + seconds(5));
            break;
        default:
            victim->clock().jump(std::chrono::duration_cast<std::chrono::microseconds>(
                world_.between(-std::chrono::hours(48), std::chrono::hours(48))));
            if (world_.chance(0.3)) world_.jump_database_clock(std::chrono::minutes(world_.draw(90)));
    }
}

void Scenario::kill(Process& process) {
    history_.process_ended(process.number());
    history_.disrupted(process.number(), world_.now(), world_.now());
    process.machine().end();
    if (mood_ == Mood::kills) watch_takeover();
    world_.after(world_.between(milliseconds(0), seconds(10)), [this] { start_process(); });
}

// I3, where only kills and clean ends happen: soon every shard belongs to a process whose counter moves.
void Scenario::watch_takeover() {
    const auto workers = living();
    if (std::none_of(workers.begin(), workers.end(),
                     [](const Process* one) { return one->is_worker() && !one->stopping(); }))
        return;
    world_.after(takeover_limit - seconds(2), [this, faults = report_.faults] {
        auto watch = std::make_shared<Takeover>();
        for (const auto& row : database_.read_processes()) watch->counters[row.id] = row.counter;
        for (auto look = seconds(2) + look_interval; look <= seconds(4); look += look_interval)
            world_.after(look, [this, watch] { watch->look(database_); });
        world_.after(seconds(4) + look_interval, [this, faults, watch] {
            if (report_.faults == faults && !peace_ && watch->owned.size() < store::shard_count)
                history_.violated(fmt::format("I3: {} shards have a living owner", watch->owned.size()));
        });
    });
}

void Scenario::make_peace() {
    peace_ = true;
    server_.troubles = {};
    if (!server_.up()) server_.come_up();
    for (auto* process : living()) {
        process->link().cut_until = {};
        process->stalled_until = {};
    }
    receivers_.heal();
    if (std::none_of(processes_.begin(), processes_.end(),
                     [](const auto& one) { return !one->machine().ended() && !one->stopping(); }))
        start_process();
    bool worker = false;
    for (const auto* process : living()) worker = worker || (process->is_worker() && !process->stopping());
    while (!worker) {
        start_process();
        worker = processes_.back()->is_worker();
    }
}

// ---- time goes on

bool Scenario::step() {
    if (world_.now() != std::exchange(last_step_, world_.now())) steps_at_now_ = 0;
    ++report_.steps;
    if (++steps_at_now_ > steps_at_an_instant || report_.steps > steps_in_all) {
        history_.violated("I13: it spins");
        return false;
    }
    if (world_.run_due_event()) return true;
    std::vector<Process*> ready;
    std::optional<SteadyTime> next = world_.next_event();
    for (auto& process : processes_) {
        auto& machine = process->machine();
        if (machine.ended()) continue;
        const bool stalled = process->stalled_until > world_.now();
        if (!stalled) machine.time().wake_due();
        if (!stalled && machine.ready()) {
            ready.push_back(process.get());
            continue;
        }
        auto own = machine.time().next();
        if (stalled) own = process->stalled_until;
        if (own && (!next || *own < *next)) next = own;
    }
    if (!ready.empty()) {
        ready[world_.draw(ready.size())]->machine().run_one();
        return true;
    }
    bury();
    if (!next) return false;
    world_.advance_to(*next);
    return true;
}

void Scenario::run_until(SteadyTime end, const std::function<bool()>& done) {
    while (world_.now() < end && !done())
        if (!step()) return;
}

Report Scenario::run() {
    for (std::size_t i = 0; i < wanted_processes_; ++i)
        world_.after(world_.between(milliseconds(0), seconds(1)), [this] { start_process(); });
    plan_messages();
    plan_operators();
    plan_faults();
    run_until(world_.now() + unrest, [] { return false; });
    make_peace();
    run_until(world_.now() + longest_peace,
              [this] { return unanswered_ == 0 && database_.deliveries().empty() && !world_.next_event(); });
    if (unanswered_ != 0)
        history_.violated(fmt::format("I1: {} submissions were never answered", unanswered_));
    history_.check_end(options_.worker_options.dispatcher.schedule.attempts());
    if (mood_ == Mood::calm)
        for (const auto& [key, since] : history_.made()) {
            const auto sent = history_.first_send(key);
            const bool healthy = std::find(healthy_.begin(), healthy_.end(), key.first) != healthy_.end();
            if (healthy && sent && since > began_ + settling && *sent > since + calm_limit)
                history_.violated("I9: a healthy endpoint waited: " + key.first.str());
        }
    report_.violations = history_.violations();
    report_.sends = history_.sends();
    report_.duplicates = history_.duplicates();
    for (auto& process : processes_) process->machine().end();
    return report_;
}

}  // namespace

Report run_scenario(std::uint64_t seed) {
    Report report;
    std::thread([&] { report = Scenario(seed).run(); }).join();
    return report;
}

}  // namespace posthorn::sim
