#include "workers/shard_plan.hpp"

#include "support/catch.hpp"

using namespace posthorn;
using workers::Liveness;

namespace {

ProcessId process(std::uint8_t number) {
    ProcessId id;
    id.value.bytes[15] = number;
    return id;
}

struct Table {
    std::vector<store::ProcessRow> processes;
    std::vector<store::LeaseRow> leases;
    Table() {
        for (int shard = 0; shard < store::shard_count; ++shard) leases.push_back({shard, 1, std::nullopt});
    }
    void give(ProcessId owner, int from, int to) {
        for (int shard = from; shard < to; ++shard) leases[static_cast<std::size_t>(shard)].owner = owner;
    }
};

constexpr SteadyTime start{std::chrono::hours(1)};

// Of a process that knows of all that it has.
workers::ShardPlan plan(ProcessId self, const Table& table, const Liveness& liveness) {
    std::map<int, std::int64_t> held;
    for (const auto& lease : table.leases)
        if (lease.owner == self) held[lease.shard] = lease.epoch;
    return workers::plan_shards(self, table.leases, liveness, held);
}

// Knows these processes from before, so that each is known to live.
Liveness acquainted(Table& table) {
    Liveness liveness;
    liveness.observe({}, table.leases, start);
    liveness.observe(table.processes, table.leases, start);
    return liveness;
}

// Looks four times a second, as an owner does, and once more at the end.
void look_on(Liveness& liveness, const Table& table, SteadyTime from, SteadyTime until) {
    for (auto now = from; now < until; now += std::chrono::milliseconds(250))
        liveness.observe(table.processes, table.leases, now);
    liveness.observe(table.processes, table.leases, until);
}

}  // namespace

TEST_CASE("a process that is alone takes every shard") {
    Table table;
    table.processes = {{process(1), 5, true}};
    Liveness liveness;
    liveness.observe(table.processes, table.leases, start);
    const auto planned = plan(process(1), table, liveness);
    CHECK(planned.take.size() == 64);
    CHECK(planned.release.empty());
}

TEST_CASE("shares differ by one at most and add up to all shards") {
    const int count = GENERATE(1, 2, 3, 5, 7, 64);
    Table table;
    for (int i = 1; i <= count; ++i)
        table.processes.push_back({process(static_cast<std::uint8_t>(i)), 1, true});
    const auto liveness = acquainted(table);
    std::size_t sum = 0, least = 64, most = 0;
    for (int i = 1; i <= count; ++i) {
        const auto share = plan(process(static_cast<std::uint8_t>(i)), table, liveness).take.size();
        sum += share;
        least = std::min(least, share);
        most = std::max(most, share);
    }
    CHECK(sum == 64);
    CHECK(most - least <= 1);
}

TEST_CASE("who holds more than his share gives the rest away, and nobody takes what a living one still has") {
    Table table;
    table.processes = {{process(1), 1, true}, {process(2), 1, true}};
    table.give(process(1), 0, 64);
    const auto liveness = acquainted(table);
    CHECK(plan(process(1), table, liveness).release.size() == 32);
    CHECK(plan(process(2), table, liveness).take.empty());
}

TEST_CASE("a process is dead when its counter has stood still for a lease on the judge's clock, not before") {
    Table table;
    table.processes = {{process(1), 7, true}, {process(2), 1, true}};
    table.give(process(1), 0, 32);
    table.give(process(2), 32, 64);
    Liveness liveness;
    auto now = start + store::lease_duration - std::chrono::milliseconds(1);
    look_on(liveness, table, start, now - std::chrono::milliseconds(1));
    table.processes[1].counter = 2;
    liveness.observe(table.processes, table.leases, now);
    CHECK(plan(process(2), table, liveness).take.empty());
    now += std::chrono::milliseconds(1);
    liveness.observe(table.processes, table.leases, now);
    const auto planned = plan(process(2), table, liveness);
    CHECK(planned.take.size() == 32);
    REQUIRE(planned.dead.size() == 1);
    CHECK(planned.dead[0] == store::DeadOwner{process(1), 7});

    SECTION("one that renews again is alive again") {
        table.processes[0].counter = 8;
        liveness.observe(table.processes, table.leases, now);
        CHECK(liveness.alive(process(1)));
    }
}

TEST_CASE("who could not look takes nobody for dead: of the time between two looks a second counts") {
    Table table;
    table.processes = {{process(1), 7, true}, {process(2), 1, true}};
    table.give(process(1), 0, 32);
    table.give(process(2), 32, 64);
    Liveness liveness;
    liveness.observe(table.processes, table.leases, start);
    auto now = start + std::chrono::minutes(1);  // without a database, or stopped
    table.processes[1].counter = 2;
    liveness.observe(table.processes, table.leases, now);
    CHECK(liveness.alive(process(1)));
    CHECK(plan(process(2), table, liveness).take.empty());
    look_on(liveness, table, now, now + std::chrono::seconds(2));
    CHECK(liveness.alive(process(1)));
    look_on(liveness, table, now + std::chrono::seconds(2), now + std::chrono::seconds(3));
    CHECK_FALSE(liveness.alive(process(1)));
}

TEST_CASE(
    "a newcomer leaves nothing free for who may have died before it came, and takes nothing from him "
    "either") {
    Table table;
    table.processes = {{process(1), 7, true}, {process(2), 7, true}, {process(3), 1, true}};
    table.give(process(1), 0, 22);
    table.give(process(2), 22, 32);
    Liveness liveness;
    liveness.observe(table.processes, table.leases, start);
    CHECK(plan(process(3), table, liveness).take.size() == 32);
    table.processes[0].counter = 8;
    liveness.observe(table.processes, table.leases, start + store::renewal_interval);
    CHECK(plan(process(3), table, liveness).take.size() == 32);
    CHECK(plan(process(3), table, liveness).dead.empty());
    table.processes.push_back({process(4), 0, true});  // seen coming
    liveness.observe(table.processes, table.leases, start + store::renewal_interval);
    CHECK(plan(process(3), table, liveness).take.size() == 21);
}

TEST_CASE("what was taken by a statement whose answer was lost is taken again, above all else") {
    Table table;
    table.processes = {{process(1), 1, true}, {process(2), 1, true}};
    table.give(process(1), 0, 40);
    const auto liveness = acquainted(table);
    const auto planned = workers::plan_shards(process(1), table.leases, liveness, {{0, 1}, {1, 1}, {2, 1}});
    REQUIRE(planned.take.size() == 37);
    CHECK(planned.take[0] == store::HeldShard{3, 1});
    CHECK(planned.release.empty());
}

TEST_CASE("an owner without a row is waited for as long as a lease") {
    Table table;
    table.processes = {{process(2), 1, true}};
    table.give(process(1), 0, 64);
    Liveness liveness;
    liveness.observe(table.processes, table.leases, start);
    CHECK(plan(process(2), table, liveness).take.empty());
    look_on(liveness, table, start, start + store::lease_duration / 2);
    table.processes[0].counter = 2;
    look_on(liveness, table, start + store::lease_duration / 2, start + store::lease_duration);
    CHECK(plan(process(2), table, liveness).take.size() == 64);
}

TEST_CASE("a process without the worker role has no share") {
    Table table;
    table.processes = {{process(1), 1, false}, {process(2), 1, true}};
    Liveness liveness;
    liveness.observe(table.processes, table.leases, start);
    CHECK(plan(process(1), table, liveness).take.empty());
    CHECK(plan(process(2), table, liveness).take.size() == 64);
}
