#include "http/target.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "http/ascii.hpp"

namespace posthorn::http {
namespace {

Problem bad_target(std::string detail) { return {400, "bad_request", std::move(detail)}; }

std::optional<unsigned> hex_digit(char c) {
    if (is_digit(c)) return static_cast<unsigned>(c - '0');
    const char small = lower(c);
    if (small >= 'a' && small <= 'f') return static_cast<unsigned>(small - 'a' + 10);
    return std::nullopt;
}

// The part of an absolute-form target from its path on; "/" where it has none.
std::string_view without_authority(std::string_view target) {
    const auto scheme_end = target.find("://");
    if (scheme_end == std::string_view::npos) throw bad_target("The request target must begin with a slash.");
    const auto scheme = target.substr(0, scheme_end);
    if (!equals_without_case(scheme, "http") && !equals_without_case(scheme, "https"))
        throw bad_target("The request target has a scheme other than http or https.");
    const auto rest = target.substr(scheme_end + 3);
    const auto path = rest.find_first_of("/?");
    if (path == 0) throw bad_target("The request target names no host.");
    if (path == std::string_view::npos) return "/";
    return rest.substr(path);
}

std::string decode_query_part(std::string_view text) {
    auto decoded = percent_decode(text, PlusSign::space);
    if (!decoded) throw bad_target("The query holds a broken percent-encoding, or text that is not UTF-8.");
    return std::move(*decoded);
}

void parse_query(std::string_view query, Request& request) {
    while (!query.empty()) {
        const auto end = std::min(query.find('&'), query.size());
        const auto part = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        if (part.empty()) continue;
        if (request.query.size() == query_parameter_limit)
            throw bad_target("The query has more than " + std::to_string(query_parameter_limit) +
                             " parameters.");
        const auto equals = std::min(part.find('='), part.size());
        request.query.emplace_back(decode_query_part(part.substr(0, equals)),
                                   decode_query_part(part.substr(std::min(equals + 1, part.size()))));
    }
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text, PlusSign plus) {
    const auto is_itself = [plus](char c) {
        return static_cast<unsigned char>(c) < 0x80 && c != '%' && (c != '+' || plus == PlusSign::literal);
    };
    if (std::ranges::all_of(text, is_itself)) return std::string(text);

    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%') {
            if (text.size() - i < 3) return std::nullopt;
            const auto high = hex_digit(text[i + 1]);
            const auto low = hex_digit(text[i + 2]);
            if (!high || !low || (*high == 0 && *low == 0)) return std::nullopt;
            decoded += static_cast<char>(*high << 4 | *low);
            i += 2;
        } else if (text[i] == '+' && plus == PlusSign::space) {
            decoded += ' ';
        } else {
            decoded += text[i];
        }
    }
    if (!is_valid_utf8(decoded)) return std::nullopt;
    return decoded;
}

void parse_target(std::string_view target, Request& request) {
    const auto allowed = [](char c) { return c > 0x20 && c < 0x7F && c != '#'; };
    if (!std::ranges::all_of(target, allowed))
        throw bad_target("The request target holds a character that must be percent-encoded.");
    if (target == "*" && request.method == Method::options) {
        request.path = target;
        return;
    }
    if (!target.starts_with('/')) target = without_authority(target);
    const auto question = std::min(target.find('?'), target.size());
    request.path = question == 0 ? "/" : target.substr(0, question);
    parse_query(target.substr(std::min(question + 1, target.size())), request);
}

}  // namespace posthorn::http
