#pragma once
#include <array>
#include <atomic>
#include <string_view>

namespace posthorn {

// Where a process can be told to die at once, by SIGKILL, so that tests see what it leaves behind: before and
// after what is committed, handed over, sent or received. tests/e2e/crash_points_test drives every one of
// them.
enum class CrashPoint : int {
    ingest_before_commit,
    ingest_committed,
    ingest_handed_over,
    ingest_answered,
    hand_off_absorbed,
    wake_up_before_sending,
    wake_up_sent,
    request_before_first_byte,
    request_sent,  // over TLS also within the handshake
    response_begun,
    response_received,
    outcome_queued,
    completion_before_commit,
    completion_committed,
    completion_reported,
    failures_before_commit,  // and whatever else goes that way: retries, replays
    failures_committed,
    lease_before_renewal,
    lease_renewed,
    shards_taken,
    shards_gained,
    shards_drained,
    shards_released,
    change_before_commit,
    change_committed,
    change_applied,
    change_acknowledged,
    change_confirmed,
    deliveries_before_ending,
    deliveries_ended,
    endpoint_before_disabling,
    endpoint_disabled,
    replay_step_before_commit,
    replay_step_committed,
    replay_announced,
};

// In the order of the points.
inline constexpr std::array<std::string_view, 35> crash_point_names{"ingest_before_commit",
                                                                    "ingest_committed",
                                                                    "ingest_handed_over",
                                                                    "ingest_answered",
                                                                    "hand_off_absorbed",
                                                                    "wake_up_before_sending",
                                                                    "wake_up_sent",
                                                                    "request_before_first_byte",
                                                                    "request_sent",
                                                                    "response_begun",
                                                                    "response_received",
                                                                    "outcome_queued",
                                                                    "completion_before_commit",
                                                                    "completion_committed",
                                                                    "completion_reported",
                                                                    "failures_before_commit",
                                                                    "failures_committed",
                                                                    "lease_before_renewal",
                                                                    "lease_renewed",
                                                                    "shards_taken",
                                                                    "shards_gained",
                                                                    "shards_drained",
                                                                    "shards_released",
                                                                    "change_before_commit",
                                                                    "change_committed",
                                                                    "change_applied",
                                                                    "change_acknowledged",
                                                                    "change_confirmed",
                                                                    "deliveries_before_ending",
                                                                    "deliveries_ended",
                                                                    "endpoint_before_disabling",
                                                                    "endpoint_disabled",
                                                                    "replay_step_before_commit",
                                                                    "replay_step_committed",
                                                                    "replay_announced"};
static_assert(crash_point_names.size() == static_cast<std::size_t>(CrashPoint::replay_announced) + 1);

inline constexpr const char* crash_point_variable = "POSTHORN_CRASH_AT";

// "<name>", or "<name>:<n>" for the n-th time that it is passed. Before the first thread. Throws
// std::invalid_argument for what is no such thing.
void arm_crash_point(std::string_view text);

namespace detail {
inline constexpr int not_armed = -1;
inline std::atomic<int> armed_crash_point{not_armed};
void pass_armed_crash_point();
}  // namespace detail

inline void crash_point(CrashPoint point) {
    if (detail::armed_crash_point.load(std::memory_order_relaxed) == static_cast<int>(point)) [[unlikely]]
        detail::pass_armed_crash_point();
}

}  // namespace posthorn
