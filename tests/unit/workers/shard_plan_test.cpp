#include "workers/shard_plan.hpp"

#include "support/catch.hpp"

using namespace posthorn;
using workers::Liveness;
using workers::plan_shards;

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

}  // namespace

TEST_CASE("a process that is alone takes every shard") {
    Table table;
    table.processes = {{process(1), 5, true}};
    Liveness liveness;
    liveness.observe(table.processes, table.leases, start);
    const auto plan = plan_shards(process(1), table.leases, liveness);
    CHECK(plan.take.size() == 64);
    CHECK(plan.release.empty());
}

TEST_CASE("shares differ by one at most and add up to all shards") {
    const int count = GENERATE(1, 2, 3, 5, 7, 64);
    Table table;
    for (int i = 1; i <= count; ++i)
        table.processes.push_back({process(static_cast<std::uint8_t>(i)), 1, true});
    Liveness liveness;
    liveness.observe(table.processes, table.leases, start);
    std::size_t sum = 0, least = 64, most = 0;
    for (int i = 1; i <= count; ++i) {
        const auto share =
            plan_shards(process(static_cast<std::uint8_t>(i)), table.leases, liveness).take.size();
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
    Liveness liveness;
    liveness.observe(table.processes, table.leases, start);
    CHECK(plan_shards(process(1), table.leases, liveness).release.size() == 32);
    CHECK(plan_shards(process(2), table.leases, liveness).take.empty());
}

TEST_CASE("a process is dead when its counter has stood still for a lease on the judge's clock, not before") {
    Table table;
    table.processes = {{process(1), 7, true}, {process(2), 1, true}};
    table.give(process(1), 0, 32);
    table.give(process(2), 32, 64);
    Liveness liveness;
    liveness.observe(table.processes, table.leases, start);
    auto now = start + store::lease_duration - std::chrono::milliseconds(1);
    table.processes[1].counter = 2;
    liveness.observe(table.processes, table.leases, now);
    CHECK(plan_shards(process(2), table.leases, liveness).take.empty());
    now += std::chrono::milliseconds(1);
    liveness.observe(table.processes, table.leases, now);
    const auto plan = plan_shards(process(2), table.leases, liveness);
    CHECK(plan.take.size() == 32);
    REQUIRE(plan.dead.size() == 1);
    CHECK(plan.dead[0] == store::DeadOwner{process(1), 7});

    SECTION("one that renews again is alive again") {
        table.processes[0].counter = 8;
        liveness.observe(table.processes, table.leases, now);
        CHECK(liveness.alive(process(1)));
    }
}

TEST_CASE("an owner without a row is waited for as long as a lease") {
    Table table;
    table.processes = {{process(2), 1, true}};
    table.give(process(1), 0, 64);
    Liveness liveness;
    liveness.observe(table.processes, table.leases, start);
    CHECK(plan_shards(process(2), table.leases, liveness).take.empty());
    table.processes[0].counter = 2;
    liveness.observe(table.processes, table.leases, start + store::lease_duration);
    CHECK(plan_shards(process(2), table.leases, liveness).take.size() == 64);
}

TEST_CASE("a process without the worker role has no share") {
    Table table;
    table.processes = {{process(1), 1, false}, {process(2), 1, true}};
    Liveness liveness;
    liveness.observe(table.processes, table.leases, start);
    CHECK(plan_shards(process(1), table.leases, liveness).take.empty());
    CHECK(plan_shards(process(2), table.leases, liveness).take.size() == 64);
}
