#include "http/response_text.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>

#include "http/ascii.hpp"

namespace posthorn::http {
namespace {

// Reason phrases are for people; a status that is not here goes out with an empty one (RFC 9112, 4).
std::string_view reason_phrase(int status) {
    switch (status) {
        case 200:
            return "OK";
        case 201:
            return "Created";
        case 202:
            return "Accepted";
        case 204:
            return "No Content";
        case 206:
            return "Partial Content";
        case 301:
            return "Moved Permanently";
        case 302:
            return "Found";
        case 303:
            return "See Other";
        case 304:
            return "Not Modified";
        case 307:
            return "Temporary Redirect";
        case 308:
            return "Permanent Redirect";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 406:
            return "Not Acceptable";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 410:
            return "Gone";
        case 412:
            return "Precondition Failed";
        case 413:
            return "Content Too Large";
        case 414:
            return "URI Too Long";
        case 415:
            return "Unsupported Media Type";
        case 422:
            return "Unprocessable Content";
        case 429:
            return "Too Many Requests";
        case 431:
            return "Request Header Fields Too Large";
        case 500:
            return "Internal Server Error";
        case 502:
            return "Bad Gateway";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        case 505:
            return "HTTP Version Not Supported";
        default:
            return "";
    }
}

bool is_of_the_server(std::string_view name) {
    return equals_without_case(name, "Connection") || equals_without_case(name, "Content-Length") ||
           equals_without_case(name, "Transfer-Encoding") || equals_without_case(name, "X-Request-Id");
}

bool splits_fields(char c) { return c == '\r' || c == '\n' || c == '\0'; }

void append_safe(std::string& out, std::string_view text) {
    if (std::ranges::none_of(text, splits_fields)) {
        out += text;
        return;
    }
    for (const char c : text) out += splits_fields(c) ? ' ' : c;
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
    append_safe(out, name);
    out += ": ";
    append_safe(out, value);
    out += "\r\n";
}

}  // namespace

std::size_t append_response(std::string& out, const Response& response, const ResponseFraming& framing) {
    const auto begin = out.size();
    // Neither has a body, and 204 must not have a Content-Length (RFC 9110, 8.6).
    const bool bodiless = response.status == 204 || response.status == 304;
    fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\n", response.status,
                   reason_phrase(response.status));
    if (!bodiless) {
        if (!response.body.empty()) append_field(out, "Content-Type", response.content_type);
        fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", response.body.size());
    }
    append_field(out, "X-Request-Id", framing.request_id);
    for (const auto& [name, value] : response.fields.all())
        if (!is_of_the_server(name)) append_field(out, name, value);
    if (framing.close) out += "Connection: close\r\n";
    out += "\r\n";
    if (!bodiless && !framing.head_only) out += response.body;
    return out.size() - begin;
}

}  // namespace posthorn::http
