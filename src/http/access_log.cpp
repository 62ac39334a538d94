#include "http/access_log.hpp"

#include <fmt/format.h>
#include <iterator>
#include <spdlog/spdlog.h>
#include <string_view>

#include "http/ascii.hpp"

namespace posthorn::http {
namespace {

void append_escaped(std::string& out, std::string_view text) {
    for (const char c : text) {
        const bool plain = !is_control(c) && c != ' ' && c != '\\' && static_cast<unsigned char>(c) < 0x80;
        if (plain)
            out += c;
        else
            fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
    }
}

}  // namespace

std::string access_line(const AccessRecord& record) {
    const auto& request = record.request;
    const bool is_known = !request.path.empty();
    std::string line;
    line.reserve(192);
    line += is_known ? to_string(request.method) : "-";
    line += ' ';
    append_escaped(line, is_known ? std::string_view(request.path) : "-");
    char separator = '?';
    for (const auto& [name, value] : request.query) {
        line += std::exchange(separator, '&');
        append_escaped(line, name);
    }
    const std::chrono::duration<double, std::milli> milliseconds = record.duration;
    fmt::format_to(std::back_inserter(line), " status={} ms={:.2f} in={} out={} id={} peer={}", record.status,
                   milliseconds.count(), record.bytes_in, record.bytes_out, request.id, request.peer);
    return line;
}

void log_access(const AccessRecord& record) {
    if (!spdlog::should_log(spdlog::level::info)) return;
    spdlog::info(std::string_view(access_line(record)));
}

}  // namespace posthorn::http
