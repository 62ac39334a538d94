#include "fault/rig.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fstream>
#include <thread>

#include "domain/access_token.hpp"
#include "fault/backend.hpp"
#include "fault/checker.hpp"
#include "fault/lateness.hpp"
#include "fault/nemesis.hpp"
#include "fault/owners.hpp"
#include "fault/receiver_log.hpp"
#include "fault/report.hpp"
#include "support/postgres.hpp"
#include "support/test_client.hpp"

namespace posthorn::fault {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr seconds peace{25};        // at the end of the run
constexpr seconds start_limit{60};  // of a service
constexpr seconds end_limit{90};    // from the last event until everything has ended
constexpr milliseconds step_interval{20};
constexpr std::string_view jwt_secret = "the secret of the fault rig's tokens";
constexpr std::string_view master_key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

SteadyTime now() { return std::chrono::steady_clock::now(); }

std::string retry_schedule() {
    std::string schedule = "1s,1s,2s,3s";
    for (int i = 0; i < 45; ++i) schedule += ",5s";
    return schedule;
}

// The parts, in the order in which they are started; destroyed in the other.
class Rig {
public:
    Rig(const RigOptions& options, const Surroundings& surroundings, const std::atomic<bool>& interrupted);
    bool run();

private:
    Service::Options service(const std::string& name, const std::string& roles, std::uint16_t port) const;
    Service::Options shifted(Service::Options options) const;
    Service::Options remote(Service::Options options) const;
    std::string receiver_url() const;
    Targets targets();
    std::set<Kind> allowed() const;
    void step();
    void step_for(seconds time);
    template <class Condition>
    bool step_until(seconds limit, Condition condition);
    void wait_until_ready(std::uint16_t port);
    void bring_unrest(Nemesis& nemesis, SteadyTime until);
    bool everything_has_ended() const;
    void end();
    std::vector<std::string> service_violations(const Checker& checker);
    void keep_logs() const;

    const RigOptions options_;
    const Surroundings& surroundings_;
    const std::atomic<bool>& interrupted_;
    FaultLog log_;
    Lateness lateness_;
    test::TemporaryDirectory directory_;
    std::unique_ptr<SecondNetwork> link_;
    Cluster cluster_;
    const std::uint16_t first_port_ = free_port(), second_port_ = free_port(), third_port_ = free_port();
    Service first_, second_, third_;
    ReceiverLog receiver_;
    Backend backend_;
    std::vector<std::string> violations_;
};

Rig::Rig(const RigOptions& options, const Surroundings& surroundings, const std::atomic<bool>& interrupted)
    : options_(options),
      surroundings_(surroundings),
      interrupted_(interrupted),
      log_((options.output / "nemesis.log").string()),
      link_(surroundings.network() ? std::make_unique<SecondNetwork>() : nullptr),
      cluster_(directory_.path(), surroundings.mounts(), surroundings.network()),
      first_(service("all", "all", first_port_), log_, options.seed ^ 1),
      second_(shifted(service("all-too", "all", second_port_)), log_, options.seed ^ 2),
      third_(remote(service("worker", "worker", third_port_)), log_, options.seed ^ 3),
      receiver_(options.seed),
      backend_(
          {.servers = {fmt::format("http://127.0.0.1:{}", first_port_),
                       fmt::format("http://127.0.0.1:{}", second_port_)},
           .token = domain::make_access_token(Secret(std::string(jwt_secret)), domain::default_organization(),
                                              std::nullopt, RealClock().system_now(), std::chrono::hours(24)),
           .seed = options.seed,
           .events_a_second = options.events_a_second,
           .most_events =
               static_cast<std::uint32_t>((options.length.count() + 60) * options.events_a_second)},
          log_) {}

// ---- what is started

Service::Options Rig::service(const std::string& name, const std::string& roles, std::uint16_t port) const {
    return {.name = name,
            .prefix = {},
            .environment = {{"POSTHORN_LISTEN", fmt::format("127.0.0.1:{}", port)},
                            {"POSTHORN_ROLES", roles},
                            {"POSTHORN_DATABASE_URL", cluster_.conninfo()},
                            {"POSTHORN_DATA_DIR", (directory_.path() / name).string()},
                            {"POSTHORN_ALLOW_NETWORKS", "127.0.0.0/8,10.77.0.0/16"},
                            {"POSTHORN_RETRY_SCHEDULE", retry_schedule()},
                            {"POSTHORN_REQUEST_TIMEOUT", "10s"},
                            {"POSTHORN_JWT_SECRET", std::string(jwt_secret)},
                            {"POSTHORN_MASTER_KEY", std::string(master_key)}},
            .log = directory_.path() / "logs" / (name + ".log"),
            .own_host_name = surroundings_.host_names()};
}

Service::Options Rig::shifted(Service::Options options) const {
    const auto library = fs::read_symlink("/proc/self/exe").parent_path() / "libshifted_clock.so";
    if (!fs::exists(library)) throw std::runtime_error(library.string() + " is missing");
    const auto file = directory_.path() / "clock";
    std::ofstream(file, std::ios::binary) << std::string(sizeof(std::int64_t), '\0');
    options.environment["LD_PRELOAD"] = library.string();
    options.environment["SHIFTED_CLOCK_FILE"] = file.string();
    return options;
}

Service::Options Rig::remote(Service::Options options) const {
    if (!link_) return options;
    options.prefix = link_->prefix();
    options.environment["POSTHORN_DATABASE_URL"] = cluster_.conninfo(SecondNetwork::database_address);
    return options;
}

std::string Rig::receiver_url() const {
    return fmt::format("http://{}:{}", link_ ? SecondNetwork::receiver_address : "127.0.0.1",
                       receiver_.port());
}

Targets Rig::targets() {
    return {.cluster = cluster_,
            .services = {&first_, &second_, &third_},
            .remote = &third_,
            .shifted = &second_,
            .link = link_.get(),
            .clock_file = directory_.path() / "clock"};
}

std::set<Kind> Rig::allowed() const {
    std::set<Kind> kinds(all_kinds.begin(), all_kinds.end());
    for (const auto& [kind, why] : surroundings_.not_tried()) kinds.erase(kind);
    return kinds;
}

// ---- while it runs

void Rig::step() {
    cluster_.supervise();
    for (auto* service : {&first_, &second_, &third_}) service->supervise();
    std::this_thread::sleep_for(step_interval);
}

template <class Condition>
bool Rig::step_until(seconds limit, Condition condition) {
    for (const auto deadline = now() + limit; !condition(); step())
        if (now() > deadline || interrupted_) return false;
    return true;
}

void Rig::step_for(seconds time) {
    step_until(time, [] { return false; });
}

void Rig::wait_until_ready(std::uint16_t port) {
    const auto answers = [port] {
        try {
            return http::test::TestClient(port, seconds(2))
                       .exchange(http::test::get("/api/v1/health/ping"))
                       .status > 0;
        } catch (const std::exception&) {
            return false;
        }
    };
    if (!step_until(start_limit, answers)) throw std::runtime_error("a service does not start");
}

void Rig::bring_unrest(Nemesis& nemesis, SteadyTime until) {
    const auto length = until - now();
    const auto begin = now();
    while (now() < until && !interrupted_) {
        const auto gone = now() - begin;
        receiver_.refuse_at_dead(gone > length / 4 && gone < length / 2);
        nemesis.step();
        step();
    }
    receiver_.refuse_at_dead(false);
    while (!interrupted_ && !nemesis.done()) {
        nemesis.heal();
        step();
    }
}

bool Rig::everything_has_ended() const {
    try {
        return test::run_sql(cluster_.superuser_conninfo(), "SELECT count(*) FROM delivery") == "0";
    } catch (const std::exception&) {
        return false;
    }
}

void Rig::end() {
    log_.tell("the backend stops");
    backend_.stop_soon();
    if (!step_until(end_limit, [this] { return backend_.done(); })) log_.tell("the backend gives up");
    backend_.give_up();
    auto next_look = now();
    const bool ended = step_until(end_limit, [&] {
        if (now() < next_look) return false;
        next_look = now() + milliseconds(500);
        return everything_has_ended();
    });
    log_.tell(ended ? "everything has ended" : "not everything has ended");
    for (auto* service : {&third_, &second_, &first_})
        if (!service->stop(seconds(60)))
            violations_.push_back(service->name() + " did not end cleanly, in peace");
}

bool Rig::run() {
    for (auto [service, port] : {std::pair(&first_, first_port_), {&second_, second_port_}}) {
        service->supervise();
        wait_until_ready(port);
    }
    const auto secrets = backend_.prepare(receiver_url());
    for (std::size_t i = 0; i < secrets.size(); ++i) receiver_.set_secret(i, secrets[i]);
    auto watch = std::make_unique<OwnerWatch>(cluster_.superuser_conninfo());
    const auto began = now();
    backend_.start();
    {
        const auto unrest = std::max(options_.length - peace, options_.length / 2);
        Nemesis nemesis(targets(), log_, plan_faults(options_.seed, unrest, allowed()));
        bring_unrest(nemesis, began + unrest);
    }
    log_.tell("peace");
    step_for(std::chrono::duration_cast<seconds>(began + options_.length - now()));
    end();
    const auto owners = watch->owners();
    watch.reset();

    Checker checker(
        {options_.seed, log_, backend_, receiver_.arrivals(), owners, cluster_.superuser_conninfo()});
    checker.check();
    for (auto& one : service_violations(checker)) violations_.push_back(std::move(one));
    for (const auto& one : backend_.violations()) violations_.push_back(one);
    if (const auto count = receiver_.strangers(); count > 0)
        violations_.push_back(fmt::format("{} requests that are no webhooks", count));
    violations_.insert(violations_.end(), checker.violations().begin(), checker.violations().end());
    cluster_.stop();
    keep_logs();
    std::map<std::string, long> memory;
    for (auto* service : {&first_, &second_, &third_})
        memory[service->name()] = service->peak_memory_kilobytes();
    print_report({log_, checker, receiver_.arrivals().size(), memory, lateness_.longest(), violations_});
    return violations_.empty() && !interrupted_;
}

// A service may fail to start, or to end cleanly, while the database is disturbed.
std::vector<std::string> Rig::service_violations(const Checker& checker) {
    constexpr long most_kilobytes = 1'024 * 1'024;
    std::vector<std::string> found;
    for (auto* service : {&first_, &second_, &third_}) {
        for (const auto& death : service->deaths())
            if (!checker.is_disturbed(death.at - seconds(60), death.at) ||
                death.what.find("signal") != std::string::npos)
                found.push_back(fmt::format("{:.3f} s: {}", log_.seconds(death.at), death.what));
        if (service->peak_memory_kilobytes() > most_kilobytes)
            found.push_back(
                fmt::format("{} used {} MB", service->name(), service->peak_memory_kilobytes() / 1'024));
    }
    return found;
}

void Rig::keep_logs() const {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(directory_.path() / "logs", ignored))
        fs::copy_file(entry.path(), options_.output / entry.path().filename(),
                      fs::copy_options::overwrite_existing, ignored);
}

}  // namespace

bool run_rig(const RigOptions& options, const Surroundings& surroundings,
             const std::atomic<bool>& interrupted) {
    return Rig(options, surroundings, interrupted).run();
}

}  // namespace posthorn::fault
