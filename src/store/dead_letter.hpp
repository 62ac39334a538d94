#pragma once
#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/id.hpp"
#include "domain/verdict.hpp"
#include "store/connection.hpp"

namespace posthorn::store {

// A dead letter's place in their order: by message, then by endpoint.
struct DeadLetterKey {
    MessageId message;
    EndpointId endpoint;
};

struct DeadLetterRow {
    ApplicationId application;
    DeadLetterKey key;
    std::string event_type;
    domain::DeadLetterReason reason = domain::DeadLetterReason::exhausted;
    int attempts = 0;
    SystemTime ended_at{};
};

struct DeadLetterFilter {
    OrganizationId organization = {};
    std::optional<ApplicationId> application = {};
    std::optional<EndpointId> endpoint = {};
    std::optional<std::vector<std::string>> event_types = {};
    std::optional<domain::DeadLetterReason> reason = {};
    std::optional<SystemTime> after = {}, before = {};  // the message's time
};
// $1 to $7 of the statements that take the filter (sql/queries/dead_letter.sql).
Params to_params(const DeadLetterFilter& filter);

struct DeadLetterScan {
    std::optional<DeadLetterKey> beyond;  // not included
    bool descending = true;
    std::int64_t limit = 0;
};
boost::asio::awaitable<std::vector<DeadLetterRow>> list_dead_letters(Pool& pool, DeadLetterFilter filter,
                                                                     DeadLetterScan scan);

// With an application: of that alone.
boost::asio::awaitable<std::optional<DeadLetterRow>> find_dead_letter(
    Pool& pool, OrganizationId organization, std::optional<ApplicationId> application, DeadLetterKey key);
// False if it is none any more.
boost::asio::awaitable<bool> discard_dead_letter(Connection& connection, OrganizationId organization,
                                                 ApplicationId application, DeadLetterKey key);

// Deletes a batch; the caller goes on until a batch is not full. Returns how many went.
inline constexpr std::int64_t dead_letters_a_batch = 1'000;
boost::asio::awaitable<std::int64_t> discard_dead_letters(Connection& connection, DeadLetterFilter filter);

}  // namespace posthorn::store
