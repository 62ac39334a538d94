#pragma once
#include <string>
#include <string_view>

namespace posthorn::cli {

// What a signature is checked by, from a request that someone recorded.
struct RecordedRequest {
    std::string id, timestamp,
        signature;  // webhook-*, or svix-* where those are missing; empty if neither is there
    std::string body;
    std::string remark;  // what was done to the body, or is odd about it; may be empty
};

// Headers, an empty line, the body; a request line may go first, lines may end with LF alone. Where there is
// a Content-Length, the body is so long: editors add a newline. Throws CommandFailed for what is no such
// request.
RecordedRequest parse_recorded_request(std::string_view text);

}  // namespace posthorn::cli
