#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <functional>
#include <string>

#include "admin-api/access.hpp"
#include "admin-api/body.hpp"
#include "admin-api/context.hpp"
#include "store/event_type.hpp"

// What the routes of event types and their import share.
namespace posthorn::admin {

inline constexpr std::string_view event_type_taken = "an event type with this name exists";

boost::json::object to_json(const store::EventType& event_type);

// {"1": {a JSON Schema}, ...}, as JSON text. Notes what makes a version unfit to be stored; `at` is the place
// of `versions`.
std::optional<std::string> check_schemas(const boost::json::object& versions, const Problems::Location& at,
                                         Problems& problems);

// Throws http::ValidationProblem if the event type is to enforce a schema and can't; `at` is the place of its
// schemas.
void check_enforcement(const store::EventType& event_type, const Problems::Location& at);

struct StoredEventType {
    store::EventType event_type;
    bool created = false;
};
enum class IfMissing { create, refuse };

// Within a transaction: an event type that is there or isn't becomes what `apply` makes of it.
boost::asio::awaitable<StoredEventType> write_event_type(
    store::Connection& connection, const Context& context, const Principal& principal,
    const std::string& name, IfMissing missing, std::function<void(store::EventType&, bool created)> apply);

}  // namespace posthorn::admin
