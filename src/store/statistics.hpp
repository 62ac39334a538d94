#pragma once
#include <array>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/id.hpp"
#include "store/connection.hpp"

// What the API counts. Everything here takes at most counting_time; what would take longer throws
// DatabaseError (sqlstate::query_canceled): ask for less.
namespace posthorn::store {

inline constexpr std::chrono::milliseconds counting_time{5'000};

struct AttemptCounts {
    std::int64_t attempts = 0, succeeded = 0;
    std::int64_t messages = 0;                                // different ones
    std::array<std::int64_t, 6> by_status_class{};            // no answer, 1xx, 2xx ... 5xx
    std::chrono::milliseconds median{0}, p95{0}, longest{0};  // how long an attempt took; 0 without one
};

// Of an endpoint, or of all endpoints of the application. The starts ascend; each bucket ends where the next
// begins, the last at `end`. As many counts as starts.
boost::asio::awaitable<std::vector<AttemptCounts>> count_attempts_over_time(
    Pool& pool, ApplicationId application, std::optional<EndpointId> endpoint, std::vector<SystemTime> starts,
    SystemTime end);

struct ApplicationName {
    ApplicationId id;
    std::optional<std::string> uid;
};
// Those that the organization has.
boost::asio::awaitable<std::vector<ApplicationName>> find_applications(Pool& pool,
                                                                       OrganizationId organization,
                                                                       std::vector<ApplicationId> ids,
                                                                       std::vector<std::string> uids);

struct ApplicationUsage {
    ApplicationName application;
    std::int64_t message_destinations = 0;  // deliveries that were first attempted at that time
};
// Of these applications, or of those `most` that have the most.
boost::asio::awaitable<std::vector<ApplicationUsage>> count_message_destinations(
    Pool& pool, OrganizationId organization, std::optional<std::vector<ApplicationId>> applications,
    SystemTime since, SystemTime until, std::int64_t most);

struct SubscriptionCount {
    std::optional<std::string> event_type;  // nothing: the endpoints that take all
    std::int64_t endpoints = 0, applications = 0;
};
// The event types that the organization's endpoints name, as they name them; the most named first.
boost::asio::awaitable<std::vector<SubscriptionCount>> count_subscriptions(Pool& pool,
                                                                           OrganizationId organization,
                                                                           std::int64_t most);

}  // namespace posthorn::store
