#include "cli/recorded_request.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <map>
#include <optional>

#include "cli/command.hpp"

namespace posthorn::cli {

namespace {
using HeaderFields = std::map<std::string, std::string, std::less<>>;

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string lower_case(std::string_view text) {
    std::string lower(text);
    for (char& c : lower)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return lower;
}

// Takes the head off `text`, the empty line included.
HeaderFields take_head(std::string_view& text) {
    HeaderFields fields;
    for (bool first = true; !text.empty(); first = false) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto line = trimmed(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty()) return fields;
        const auto colon = line.find(':');
        if (first && line.find("HTTP/") != std::string_view::npos) continue;
        if (colon == std::string_view::npos)
            throw CommandFailed(fmt::format("\"{}\" is no header field", line.substr(0, 80)),
                                "The file should hold the headers, an empty line and the body.");
        fields.emplace(lower_case(line.substr(0, colon)), trimmed(line.substr(colon + 1)));
    }
    throw CommandFailed("the request has no empty line between headers and body",
                        "The file should hold the headers, an empty line and the body.");
}

std::string field(const HeaderFields& fields, std::string_view name) {
    for (const std::string_view prefix : {"webhook-", "svix-"})
        if (const auto found = fields.find(fmt::format("{}{}", prefix, name)); found != fields.end())
            return found->second;
    return {};
}

void apply_content_length(const HeaderFields& fields, RecordedRequest& request) {
    const auto found = fields.find("content-length");
    if (found == fields.end()) return;
    std::size_t length = 0;
    const auto& text = found->second;
    if (std::from_chars(text.data(), text.data() + text.size(), length).ec != std::errc{}) return;
    if (request.body.size() > length) {
        request.remark =
            fmt::format("of the {} bytes after the headers the first {} were taken, as Content-Length says",
                        request.body.size(), length);
        request.body.resize(length);
    } else if (request.body.size() < length) {
        request.remark =
            fmt::format("the body has {} bytes, but Content-Length says {}: it was cut short or changed",
                        request.body.size(), length);
    }
}
}  // namespace

RecordedRequest parse_recorded_request(std::string_view text) {
    const auto fields = take_head(text);
    RecordedRequest request{
        field(fields, "id"), field(fields, "timestamp"), field(fields, "signature"), std::string(text), {}};
    if (const auto coding = fields.find("transfer-encoding"); coding != fields.end())
        request.remark =
            "the request was sent in chunks: the body must be recorded without the lengths of the chunks";
    apply_content_length(fields, request);
    return request;
}

}  // namespace posthorn::cli
