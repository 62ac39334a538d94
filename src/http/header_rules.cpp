#include "http/header_rules.hpp"

#include <algorithm>
#include <array>

#include "http/ascii.hpp"

namespace posthorn::http {

namespace {

constexpr std::array<std::string_view, 14> forbidden{
    "accept-encoding",  "connection", "content-encoding", "content-length",
    "expect",           "host",       "http2-settings",   "keep-alive",
    "proxy-connection", "te",         "trailer",          "transfer-encoding",
    "upgrade",          "user-agent"};
constexpr std::array<std::string_view, 2> forbidden_prefixes{"webhook-", "svix-"};

bool is_token_character(char c) {
    return is_letter(c) || is_digit(c) ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_forbidden(std::string_view name) {
    const auto equals = [&](std::string_view other) { return equals_without_case(name, other); };
    return std::any_of(forbidden.begin(), forbidden.end(), equals) ||
           std::any_of(forbidden_prefixes.begin(), forbidden_prefixes.end(), [&](std::string_view prefix) {
               return equals_without_case(name.substr(0, prefix.size()), prefix);
           });
}

}  // namespace

bool CaselessLess::operator()(std::string_view a, std::string_view b) const {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                        [](char x, char y) { return lower(x) < lower(y); });
}

std::string header_problem(std::string_view name, std::string_view value, ContentType content_type) {
    if (!std::all_of(name.begin(), name.end(), is_token_character))
        return "is not a header name (RFC 9110: letters, digits and !#$%&'*+-.^_`|~)";
    if (is_forbidden(name) ||
        (content_type == ContentType::fixed && equals_without_case(name, "content-type")))
        return "is set by the service itself, or by HTTP, and can not be chosen";
    const auto is_visible = [](char c) { return c == '\t' || (c >= 0x20 && c < 0x7F); };
    if (!std::all_of(value.begin(), value.end(), is_visible))
        return "the value may hold only visible ASCII characters, spaces and tabs";
    const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
    if (!value.empty() && (is_blank(value.front()) || is_blank(value.back())))
        return "the value must not begin or end with white space";
    return {};
}

}  // namespace posthorn::http
