#pragma once
#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <vector>

#include "admin-api/access.hpp"
#include "admin-api/body.hpp"
#include "admin-api/query.hpp"
#include "store/dead_letter.hpp"

namespace posthorn::admin {

// Which dead letters are meant, as it came in a query ("endpoint_id") or a body ("endpointId").
struct DeadLetterChoice {
    std::optional<std::string> endpoint;  // an id, or a uid where the path names an application
    std::optional<std::vector<std::string>> event_types;
    std::optional<domain::DeadLetterReason> reason;
    std::optional<SystemTime> after, before;  // the message's time
};
DeadLetterChoice read_dead_letter_choice(const QueryReader& query);
DeadLetterChoice read_dead_letter_choice(const ObjectReader& reader);

// The path's application where it names one, else the principal's organization (of an application's token:
// that application). Throws Problem 404 for an unknown application or uid, ValidationProblem for a uid
// without an application.
boost::asio::awaitable<store::DeadLetterFilter> dead_letter_filter(Context& context,
                                                                   const Principal& principal,
                                                                   const http::Request& request,
                                                                   DeadLetterChoice choice);

}  // namespace posthorn::admin
