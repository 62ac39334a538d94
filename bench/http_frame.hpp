#pragma once
#include <cstddef>
#include <optional>
#include <string_view>

namespace posthorn::bench {

// One request or response at the beginning of what was received. Enough of HTTP/1.1 (RFC 9112) for the two
// programs we talk to: Content-Length, no chunks.
struct HttpFrame {
    std::string_view head;  // with the line break of its last field
    std::string_view body;
    std::size_t size = 0;  // of both and what is between them

    std::string_view first_line() const;
    std::string_view field(std::string_view name) const;  // name in any case; empty when it is missing
};

// Nothing: it is not complete. Throws std::runtime_error for a length that is no number.
std::optional<HttpFrame> first_frame(std::string_view bytes);

}  // namespace posthorn::bench
