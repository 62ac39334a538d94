#include "domain/shard.hpp"

#include <map>

#include "support/catch.hpp"

using namespace posthorn;
using namespace posthorn::domain;

TEST_CASE("an endpoint's shard never changes") {
    EndpointId zeros, ones, counted;
    ones.value.bytes.fill(0xFF);
    for (std::size_t i = 0; i < 16; ++i) counted.value.bytes[i] = static_cast<std::uint8_t>(i);
    CHECK(shard_of(zeros) == 3);
    CHECK(shard_of(ones) == 28);
    CHECK(shard_of(counted) == 32);
    const EndpointId one{
        {{0x01, 0x8f, 0x3a, 0x5c, 0x7d, 0x1e, 0x7a, 0xbc, 0x8d, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab}}};
    CHECK(shard_of(one) == 44);
}

TEST_CASE("endpoints made one after another spread over all shards") {
    std::map<int, int> count;
    const SystemTime now{std::chrono::seconds(1'764'000'000)};
    for (int i = 0; i < 6400; ++i) ++count[shard_of(EndpointId::make(now))];
    REQUIRE(count.size() == shard_count);
    for (const auto& [shard, endpoints] : count) {
        INFO("shard " << shard);
        CHECK(endpoints > 40);
        CHECK(endpoints < 180);
    }
}
