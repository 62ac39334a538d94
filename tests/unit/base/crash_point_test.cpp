#include "base/crash_point.hpp"

#include <set>
#include <stdexcept>

#include "support/catch.hpp"

namespace posthorn {
namespace {

// What is armed is forgotten at the end.
struct Armed {
    explicit Armed(std::string_view text) { arm_crash_point(text); }
    Armed(const Armed&) = delete;
    Armed& operator=(const Armed&) = delete;
    ~Armed() { detail::armed_crash_point = detail::not_armed; }
};

TEST_CASE("no two crash points have the same name") {
    CHECK(std::set(crash_point_names.begin(), crash_point_names.end()).size() == crash_point_names.size());
}

TEST_CASE("a crash point is armed by its name, and passed by all others") {
    const Armed armed("replay_announced");
    CHECK(detail::armed_crash_point == static_cast<int>(CrashPoint::replay_announced));
    crash_point(CrashPoint::ingest_committed);
}

TEST_CASE("a crash point is passed until its n-th time") {
    const Armed armed("ingest_committed:3");
    crash_point(CrashPoint::ingest_committed);
    crash_point(CrashPoint::ingest_committed);
    CHECK(detail::armed_crash_point == static_cast<int>(CrashPoint::ingest_committed));
}

TEST_CASE("what is no crash point is refused, and nothing armed") {
    for (const auto* text :
         {"", "ingest", "INGEST_COMMITTED", "ingest_committed:", "ingest_committed:0", "ingest_committed:-1",
          "ingest_committed:1x", "ingest_committed:99999999999", "ingest_committed :1", ":1"}) {
        INFO(text);
        CHECK_THROWS_AS(arm_crash_point(text), std::invalid_argument);
    }
    CHECK(detail::armed_crash_point == detail::not_armed);
}

}  // namespace
}  // namespace posthorn
