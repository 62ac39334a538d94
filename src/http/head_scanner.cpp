#include "http/head_scanner.hpp"

#include "http/ascii.hpp"
#include "http/message.hpp"

namespace posthorn::http {
namespace {

constexpr std::size_t method_and_version_bytes = 64;  // of a request line, beside its target

Problem bad_request(std::string detail) { return {400, "bad_request", std::move(detail)}; }

Problem target_too_long() {
    return {414, "uri_too_long",
            "The request target is longer than " + std::to_string(target_limit_bytes) + " bytes."};
}

void check_request_line(std::string_view line) {
    const auto version_at = line.rfind(' ');
    const auto target_at = line.find(' ');
    if (version_at == std::string_view::npos || !line.substr(version_at + 1).starts_with("HTTP/"))
        throw bad_request("The request line names no HTTP version; HTTP/1.1 is spoken here.");
    const auto version = line.substr(version_at + 1);
    if (version != "HTTP/1.1" && version != "HTTP/1.0")
        throw Problem{505, "http_version_not_supported", "HTTP/1.1 and HTTP/1.0 are spoken here."};
    if (version_at - target_at > target_limit_bytes + 1) throw target_too_long();
}

}  // namespace

std::optional<std::size_t> HeadScanner::scan(std::string_view bytes) {
    // What can't begin a method (a TLS handshake, for one) is refused without waiting for a line's end.
    if (scanned_ == 0 && !bytes.empty() && !is_letter(bytes.front()))
        throw bad_request("The request begins with no method.");
    for (;;) {
        const auto line_feed = bytes.find('\n', scanned_);
        if (line_feed == std::string_view::npos) {
            scanned_ = bytes.size();
            check_size(bytes.size(), lines_ == 0 ? bytes.size() : 0);
            return std::nullopt;
        }
        auto line = bytes.substr(line_begin_, line_feed - line_begin_);
        // First, as where the line came in pieces: a request is refused alike however it arrives.
        check_size(line_feed + 1, lines_ == 0 ? line_feed : 0);
        if (!line.ends_with('\r')) throw bad_request("A line of the header ends without a carriage return.");
        line.remove_suffix(1);
        if (line.empty() && lines_ > 0) return line_feed + 1;
        check_line(line);
        ++lines_;
        line_begin_ = scanned_ = line_feed + 1;
    }
}

void HeadScanner::check_line(std::string_view line) const {
    if (lines_ == 0) return check_request_line(line);
    if (line.front() == ' ' || line.front() == '\t')
        throw bad_request("A header field is folded over two lines, or has white space before its name.");
    if (lines_ > field_limit)
        throw Problem{431, "header_too_large",
                      "The request has more than " + std::to_string(field_limit) + " header fields."};
}

void HeadScanner::check_size(std::size_t bytes, std::size_t of_request_line) const {
    if (of_request_line > target_limit_bytes + method_and_version_bytes) throw target_too_long();
    if (bytes > head_limit_bytes_)
        throw Problem{431, "header_too_large",
                      "The request's header is longer than " + std::to_string(head_limit_bytes_) + " bytes."};
}

}  // namespace posthorn::http
