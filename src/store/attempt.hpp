#pragma once
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <optional>
#include <string>

#include "base/id.hpp"
#include "store/connection.hpp"
#include "store/id_range.hpp"
#include "store/message.hpp"

namespace posthorn::store {

struct AttemptRow {
    AttemptId id;
    MessageId message;
    EndpointId endpoint;
    bool manual = false;
    bool succeeded = false;
    int status_code = 0;  // 0 without an answer
    std::chrono::milliseconds duration{0};
    std::string url;
    std::optional<std::string> response;  // bytes as received; nothing if expunged or not asked for
};

struct AttemptFilter {
    std::optional<bool> succeeded;
    std::optional<int> status_code_class;  // 0 (no answer), 100, 200 ... 500
    MessageFilter message;
    std::optional<EndpointId> endpoint;  // of a message's attempts

    bool any() const { return succeeded || status_code_class || message.any(); }
};

boost::asio::awaitable<Listing<AttemptRow>> list_attempts_of_endpoint(Pool& pool, ApplicationId application,
                                                                      EndpointId endpoint, IdRange range,
                                                                      AttemptFilter filter,
                                                                      bool with_response);
// The filter's part about messages is the caller's: it is one message.
boost::asio::awaitable<Listing<AttemptRow>> list_attempts_of_message(Pool& pool, ApplicationId application,
                                                                     MessageId message, IdRange range,
                                                                     AttemptFilter filter,
                                                                     bool with_response);
boost::asio::awaitable<std::optional<AttemptRow>> find_attempt(Pool& pool, ApplicationId application,
                                                               MessageId message, AttemptId id);
// The response is gone for good. False if there is no such attempt.
boost::asio::awaitable<bool> expunge_attempt(Connection& connection, ApplicationId application,
                                             MessageId message, AttemptId id);

}  // namespace posthorn::store
