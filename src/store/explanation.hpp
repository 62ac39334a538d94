#pragma once
#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>

#include "domain/explanation.hpp"
#include "store/connection.hpp"

namespace posthorn::store {

struct ExplanationRow {
    domain::DeliveryFacts facts;         // takes_payload is left to the caller
    std::optional<std::string> filter;   // the endpoint's, a JSON object
    std::optional<std::string> payload;  // where there is a filter; nothing if it was expunged
    bool raw = false;                    // the payload is any text
};

// Nothing if there is no such message or endpoint of the application.
boost::asio::awaitable<std::optional<ExplanationRow>> explain_delivery(Pool& pool, ApplicationId application,
                                                                       EndpointId endpoint,
                                                                       MessageId message);

}  // namespace posthorn::store
