#pragma once
#include <boost/json.hpp>
#include <optional>
#include <string>

#include "admin-api/context.hpp"
#include "admin-api/query.hpp"
#include "store/message.hpp"

// What the routes of messages, attempts and replays share.
namespace posthorn::admin {

// The message of the path's {msg_id}: an id or an eventId. Throws Problem 404.
boost::asio::awaitable<store::MessageRow> find_message(Context& context, ApplicationId application,
                                                       const http::Request& request, bool with_payload);

// As the compatible API has it, with further members before the payload, which is as it was submitted.
std::string message_text(const store::MessageRow& message, bool with_content,
                         boost::json::object further = {});

void add_status(boost::json::object& object, store::MessageStatus status);

// The query parameters that several lists have.
struct MessageQuery {
    store::MessageFilter filter;
    std::optional<SystemTime> before, after;
    bool with_content = true;
};
MessageQuery read_message_query(const QueryReader& query);
std::optional<store::MessageStatus> read_status(const QueryReader& query);

}  // namespace posthorn::admin
