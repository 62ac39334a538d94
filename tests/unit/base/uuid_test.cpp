#include "base/uuid.hpp"

#include "support/catch.hpp"

using namespace posthorn;
using namespace std::chrono_literals;

namespace {
const SystemTime some_time{1'764'000'000'123ms + 456us};
}

TEST_CASE("a UUIDv7 carries version, variant and its millisecond") {
    UuidV7Generator generator;
    const Uuid id = generator.next(some_time);
    CHECK(id.bytes[6] >> 4 == 7);
    CHECK(id.bytes[8] >> 6 == 2);
    CHECK(uuid_v7_time(id) == SystemTime(1'764'000'000'123ms));
}

TEST_CASE("UUIDv7s ascend while the time stands still, also past what the counter holds") {
    UuidV7Generator generator;
    Uuid last = generator.next(some_time);
    for (int i = 0; i < 10'000; ++i) {
        const Uuid next = generator.next(some_time);
        REQUIRE(last < next);
        last = next;
    }
    CHECK(uuid_v7_time(last) - some_time < 3ms);  // 4,096 a millisecond are borrowed from the future
}

TEST_CASE("UUIDv7s ascend when the time steps back") {
    UuidV7Generator generator;
    const Uuid before = generator.next(some_time);
    const Uuid after = generator.next(some_time - 1h);
    CHECK(before < after);
    CHECK(generator.next(some_time + 1ms) > after);
}

TEST_CASE("the floor of a millisecond is no larger than any UUIDv7 of it, and larger than any before") {
    UuidV7Generator first, second;
    CHECK(uuid_v7_floor(some_time) <= first.next(some_time));
    CHECK(second.next(some_time - 1ms) < uuid_v7_floor(some_time));
    CHECK(uuid_v7_time(uuid_v7_floor(some_time)) == SystemTime(1'764'000'000'123ms));
}

TEST_CASE("a UUID is shown as 8-4-4-4-12 in lowercase") {
    CHECK(to_string(Uuid{}) == "00000000-0000-0000-0000-000000000000");
    CHECK(to_string(Uuid{{0x01, 0x89, 0x0a, 0x5d, 0xac, 0x96, 0x77, 0x4b, 0xbc, 0xce, 0xb3, 0x02, 0x09, 0x9a,
                          0x80, 0x57}}) == "01890a5d-ac96-774b-bcce-b302099a8057");
}
