#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "http/message.hpp"

namespace posthorn::http {

struct ResponseFraming {
    std::string_view request_id;
    bool head_only = false;  // an answer to HEAD: the fields that GET would have, no body
    bool close = false;      // the connection ends after this answer
};

// Appends the answer as it goes over the wire and gives its size in bytes. Framing is the server's:
// Connection, Content-Length, Transfer-Encoding and X-Request-Id among the handler's fields are left out, and
// CR, LF and NUL in a field become spaces (RFC 9110, 5.5).
std::size_t append_response(std::string& out, const Response& response, const ResponseFraming& framing);

}  // namespace posthorn::http
