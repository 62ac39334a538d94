#pragma once
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/problem.hpp"
#include "domain/json_schema.hpp"
#include "ingest/decode.hpp"
#include "store/accept.hpp"
#include "store/connection.hpp"

namespace posthorn::ingest {

struct EnforcedSchema {
    std::int64_t revision;
    domain::JsonSchema schema;
};

// The schemas that event types enforce, compiled, as far as they were needed. It may be behind the database:
// accept_messages has the last word (store::Acceptance::schema_changed). Any thread.
class EnforcedSchemas {
public:
    using Found = std::shared_ptr<const EnforcedSchema>;  // null: none

    Found known(OrganizationId organization, const std::string& event_type) const;

    // As it is in the database now. The pool is the caller's loop's.
    boost::asio::awaitable<Found> load(store::Pool& pool, OrganizationId organization,
                                       std::string event_type);
    // The same for several, for `known` to find.
    boost::asio::awaitable<void> refresh(store::Pool& pool, OrganizationId organization,
                                         std::set<std::string> event_types);

private:
    using Key = std::pair<OrganizationId, std::string>;
    Found keep(Key key, Found schema);
    void forget(const Key& key);

    std::atomic<std::size_t> count_ = 0;  // for those many that have none to pass without the lock
    mutable std::mutex mutex_;            // guards what follows
    std::map<Key, Found> schemas_;
    std::size_t bytes_ = 0;
};

// Holds a message to what its event type enforces, and notes the revision in it. Returns how it breaks that,
// for an answer of status 422. at: where the message stands in the request. What the schema in memory refuses
// is held to the one in the database.
boost::asio::awaitable<std::vector<FieldProblem>> hold_to_schema(EnforcedSchemas& schemas, store::Pool& pool,
                                                                 store::NewMessage& message,
                                                                 const Location& at);

// A revision that no event type has: such a message is never stored, and finds an earlier one under its keys.
inline constexpr std::int64_t refused_revision = -1;

}  // namespace posthorn::ingest
