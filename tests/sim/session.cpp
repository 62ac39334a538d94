#include "sim/session.hpp"

#include "store/wake_up.hpp"

namespace posthorn::sim {

using boost::asio::awaitable;
using std::chrono::microseconds;
using std::chrono::milliseconds;

namespace {

constexpr microseconds shortest_way{100}, longest_way{2'000};
constexpr milliseconds longest_slow_statement{3'000};

store::DatabaseError connection_lost() {
    return {std::string(store::sqlstate::connection_failure), "the connection was lost"};
}

// For statements without rows.
struct Nothing {};

}  // namespace

// ---- the server

Server::Server(World& world, Database& database) : world_(world), database_(database) {
    database_.on_endpoint_change = [this] { notify({"posthorn_endpoint", ""}); };
}

void Server::go_down(bool crash) {
    up_ = false;
    ++generation_;
    if (crash)
        database_.crash(static_cast<double>(world_.draw(101)) / 100);
    else
        database_.committed(true);
    for (const auto& [number, listener] : listeners_) listener->notice_end();
    listeners_.clear();
}

void Server::notify_endpoints(const std::vector<std::pair<int, EndpointId>>& endpoints) {
    for (const auto& payload : store::wake_up_payloads(endpoints)) notify({"posthorn_shard", payload});
}

void Server::notify(const store::WorkerSession::WakeUp& wake_up) {
    for (const auto& listening : listeners_)
        world_.after(world_.between(shortest_way, longest_way), [this, number = listening.first, wake_up] {
            if (auto* still = listener(number)) still->hear(wake_up);
        });
}

// ---- sessions

awaitable<std::unique_ptr<store::WorkerSession>> SimulatedDatabase::open(
    boost::asio::any_io_executor executor, store::SessionUse use) {
    co_return co_await open_session(executor, use);
}

awaitable<std::unique_ptr<Session>> SimulatedDatabase::open_session(boost::asio::any_io_executor executor,
                                                                    store::SessionUse use) {
    auto& world = server_.world();
    co_await sleep_for(world.between(shortest_way, longest_way));
    if (!server_.up() || link_.cut_until > world.now() || server_.frozen_until() > world.now()) {
        co_await sleep_for(world.between(milliseconds(1), milliseconds(500)));
        throw connection_lost();
    }
    co_return std::make_unique<Session>(server_, link_, executor, use);
}

Session::Session(Server& server, const Link& link, boost::asio::any_io_executor executor,
                 store::SessionUse use)
    : server_(server),
      link_(link),
      executor_(executor),
      asynchronous_commit_(use == store::SessionUse::completion || use == store::SessionUse::notify),
      patience_(use == store::SessionUse::owner || use == store::SessionUse::release ? 3'000 : 31'000),
      number_(server.next_session_number()),
      generation_(server.generation()),
      heard_(executor) {}

void Session::hear(WakeUp wake_up) {
    if (link_.cut_until > server_.world().now()) return;
    wake_ups_.push_back(std::move(wake_up));
    heard_.set();
}

void Session::notice_end() {
    usable_ = false;
    heard_.set();
}

template <class Work>
auto Session::call(Work work) -> Answer<std::invoke_result_t<Work, Database&>> {
    using T = std::invoke_result_t<Work, Database&>;
    if (!usable_) throw connection_lost();
    auto& world = server_.world();
    Event answered(executor_);
    const auto reply = std::make_shared<Reply<T>>();
    reply->event = &answered;
    struct LetGo {
        Reply<T>& of;
        ~LetGo() { of.event = nullptr; }
    } let_go{*reply};

    const auto& troubles = server_.troubles;
    const bool slow = world.chance(troubles.slow), refused = world.chance(troubles.refused);
    const bool lost_before = world.chance(troubles.lost_before),
               lost_after = world.chance(troubles.lost_after);
    const auto there = world.between(shortest_way, longest_way) +
                       (slow ? world.between(milliseconds(0), longest_slow_statement) : Duration(0));
    const auto back = world.between(shortest_way, longest_way);
    struct Statement {
        Server& server;
        std::uint64_t generation;
        bool asynchronous, refused, lost_before, lost_after;
        Duration back;
        std::shared_ptr<Reply<T>> reply;
        Work work;

        void arrive(const std::shared_ptr<Statement>& self) {
            auto& at = server.world();
            if (server.frozen_until() > at.now()) {
                at.at(server.frozen_until(), [self] { self->arrive(self); });
                return;
            }
            if (lost_before || !server.up() || server.generation() != generation) {
                at.after(back, [self] { self->reply->fail(connection_lost()); });
                return;
            }
            if (refused) {
                at.after(back, [self] {
                    self->reply->fail({std::string(store::sqlstate::deadlock_detected), "a deadlock"});
                });
                return;
            }
            auto value = work(server.database());
            server.database().committed(!asynchronous);
            at.after(back, [self, value = std::move(value)]() mutable {
                if (self->lost_after)
                    self->reply->fail(connection_lost());
                else
                    self->reply->give(std::move(value));
            });
        }
    };
    const auto statement =
        std::make_shared<Statement>(Statement{server_, generation_, asynchronous_commit_, refused,
                                              lost_before, lost_after, back, reply, std::move(work)});
    // What is sent into a cut link arrives when that is mended, or the other side has forgotten the
    // connection by then.
    if (link_.cut_until > world.now()) {
        statement->lost_before = statement->lost_before || world.chance(0.5);
        world.at(link_.cut_until, [statement] { statement->arrive(statement); });
    } else {
        world.after(there, [statement] { statement->arrive(statement); });
    }
    const auto deadline = world.now() + patience_;
    while (true) {
        const bool in_time = co_await answered.wait(deadline);
        if (in_time && link_.cut_until > world.now()) {  // the answer does not get through
            answered.set();
            co_await sleep_for(std::min(link_.cut_until, deadline) - world.now() + milliseconds(1));
            if (world.now() < deadline) continue;
        }
        break;
    }
    if (!reply->value && !reply->error) reply->error = connection_lost();
    if (reply->error) {
        if (reply->error->connection_lost()) usable_ = false;
        throw store::DatabaseError(*reply->error);
    }
    co_return std::move(*reply->value);
}

Session::Answer<store::AcceptedBatch> Session::accept(std::vector<store::NewMessage> messages) {
    return call([messages = std::move(messages)](Database& in) { return in.accept(messages); });
}
Session::Answer<std::optional<store::KeyHolder>> Session::key_holder(ApplicationId application,
                                                                     std::string key) {
    return call([=](Database& in) { return in.key_holder(application, key); });
}

Session::Answer<std::vector<store::BackloggedEndpoint>> Session::list_backlogged_endpoints(
    std::vector<int> shards) {
    return call([=](Database& in) { return in.list_backlogged_endpoints(shards); });
}
Session::Answer<std::vector<store::DeliveryRow>> Session::probe_endpoints(
    std::vector<store::ProbeTarget> targets) {
    return call([=](Database& in) { return in.probe_endpoints(targets); });
}
Session::Answer<std::vector<store::DeliveryRow>> Session::probe_ordered_endpoints(Endpoints endpoints) {
    return call([=](Database& in) { return in.probe_ordered_endpoints(endpoints); });
}
Session::Answer<std::vector<store::PayloadRow>> Session::load_payloads(
    std::vector<ApplicationId> applications, std::vector<MessageId> messages, std::int64_t limit_bytes) {
    return call([=](Database& in) { return in.load_payloads(applications, messages, limit_bytes); });
}
Session::Answer<std::vector<store::EndpointRow>> Session::load_endpoints(Endpoints endpoints) {
    return call([=](Database& in) { return in.load_endpoints(endpoints); });
}
Session::Answer<std::vector<store::Completion>> Session::complete_deliveries(
    const std::vector<store::Outcome>& outcomes) {
    return call([=](Database& in) { return in.complete_deliveries(outcomes); });
}
Session::Answer<std::vector<store::Completion>> Session::complete_plain_deliveries(
    const std::vector<store::Outcome>& outcomes) {
    return call([=](Database& in) { return in.complete_plain_deliveries(outcomes); });
}
Session::Answer<std::int64_t> Session::end_deliveries_of_endpoint(
    store::HeldShard shard, ApplicationId application, EndpointId endpoint,
    std::optional<domain::DeadLetterReason> reason, std::vector<MessageId> except, int limit) {
    return call([=](Database& in) {
        return in.end_deliveries_of_endpoint(shard, application, endpoint, reason, except, limit);
    });
}
Session::Answer<void> Session::mark_endpoints_failing(Endpoints endpoints) {
    co_await call([=](Database& in) {
        in.mark_endpoints_failing(endpoints);
        return Nothing{};
    });
}
Session::Answer<void> Session::mark_endpoints_recovered(Endpoints endpoints) {
    co_await call([=](Database& in) {
        in.mark_endpoints_recovered(endpoints);
        return Nothing{};
    });
}
Session::Answer<void> Session::mark_circuits(std::map<EndpointId, std::optional<SystemTime>> circuits) {
    co_await call([=](Database& in) {
        in.mark_circuits(circuits);
        return Nothing{};
    });
}
Session::Answer<bool> Session::disable_endpoint(EndpointId endpoint, std::string reason,
                                                std::optional<std::chrono::seconds> failing_for) {
    return call([=](Database& in) { return in.disable_endpoint(endpoint, reason, failing_for); });
}

Session::Answer<void> Session::register_process(ProcessId id, bool worker, std::string) {
    co_await call([=](Database& in) {
        in.register_process(id, worker);
        return Nothing{};
    });
}
Session::Answer<bool> Session::renew_process(ProcessId id) {
    return call([=](Database& in) { return in.renew_process(id); });
}
Session::Answer<void> Session::unregister_process(ProcessId id) {
    co_await call([=](Database& in) {
        in.unregister_process(id);
        return Nothing{};
    });
}
Session::Answer<std::vector<store::ProcessRow>> Session::read_processes() {
    return call([](Database& in) { return in.read_processes(); });
}
Session::Answer<std::vector<store::LeaseRow>> Session::read_leases() {
    return call([](Database& in) { return in.read_leases(); });
}
Session::Answer<std::vector<store::HeldShard>> Session::take_shards(ProcessId id,
                                                                    std::vector<store::HeldShard> seen,
                                                                    std::vector<store::DeadOwner> dead) {
    return call([=](Database& in) { return in.take_shards(id, seen, dead); });
}
Session::Answer<void> Session::forget_other_processes(ProcessId id) {
    co_await call([=](Database& in) {
        in.forget_other_processes(id);
        return Nothing{};
    });
}
Session::Answer<void> Session::release_shards(ProcessId id, std::vector<store::HeldShard> held) {
    co_await call([=](Database& in) {
        in.release_shards(id, held);
        return Nothing{};
    });
}
Session::Answer<SystemTime> Session::database_time() {
    return call([](Database& in) { return in.time(); });
}
Session::Answer<std::vector<store::EndpointChange>> Session::unacknowledged_changes(
    std::vector<store::HeldShard> held) {
    return call([=](Database& in) { return in.unacknowledged_changes(held); });
}
Session::Answer<void> Session::acknowledge_changes(std::vector<store::EndpointChange> changes,
                                                   std::vector<store::HeldShard> held) {
    co_await call([=](Database& in) {
        in.acknowledge_changes(changes, held);
        return Nothing{};
    });
}

Session::Answer<void> Session::listen() {
    co_await call([](Database&) { return Nothing{}; });
    server_.add_listener(number_, *this);
}
Session::Answer<Session::WakeUp> Session::next_wake_up() {
    while (wake_ups_.empty()) {
        if (!usable_) throw connection_lost();
        co_await heard_.wait();
    }
    auto first = std::move(wake_ups_.front());
    wake_ups_.pop_front();
    co_return first;
}
Session::Answer<void> Session::notify_shards(std::vector<std::pair<int, EndpointId>> endpoints) {
    co_await call([=, &server = server_](Database&) {
        server.notify_endpoints(endpoints);
        return Nothing{};
    });
}

}  // namespace posthorn::sim
