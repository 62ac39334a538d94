#include "bench/http_frame.hpp"

#include <charconv>
#include <stdexcept>
#include <strings.h>

namespace posthorn::bench {

namespace {
constexpr std::string_view line_end = "\r\n";
constexpr std::string_view head_end = "\r\n\r\n";

std::size_t body_bytes(const HttpFrame& frame) {
    const auto text = frame.field("content-length");
    if (text.empty()) return 0;
    std::size_t length = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
    if (error != std::errc() || end != text.data() + text.size())
        throw std::runtime_error("a Content-Length that is no number was received");
    return length;
}
}  // namespace

std::string_view HttpFrame::first_line() const { return head.substr(0, head.find(line_end)); }

std::string_view HttpFrame::field(std::string_view name) const {
    for (auto begin = head.find(line_end); begin != std::string_view::npos;) {
        begin += line_end.size();
        const auto end = head.find(line_end, begin);
        if (end == std::string_view::npos) break;
        auto line = head.substr(begin, end - begin);
        begin = end;
        if (line.size() <= name.size() || line[name.size()] != ':' ||
            strncasecmp(line.data(), name.data(), name.size()) != 0)
            continue;
        line.remove_prefix(name.size() + 1);
        while (line.starts_with(' ')) line.remove_prefix(1);
        return line;
    }
    return {};
}

std::optional<HttpFrame> first_frame(std::string_view bytes) {
    const auto end = bytes.find(head_end);
    if (end == std::string_view::npos) return std::nullopt;
    HttpFrame frame;
    frame.head = bytes.substr(0, end + line_end.size());
    const auto begin = end + head_end.size();
    const auto length = body_bytes(frame);
    if (bytes.size() - begin < length) return std::nullopt;
    frame.body = bytes.substr(begin, length);
    frame.size = begin + length;
    return frame;
}

}  // namespace posthorn::bench
