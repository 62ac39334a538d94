// Small texts from outside, each with a reader of its own; the first byte says which. What is read and
// written again is the same; what is accepted can do no harm where it goes.
#include <array>
#include <boost/json.hpp>
#include <curl/curl.h>
#include <fmt/format.h>
#include <simdjson.h>

#include "admin-api/pagination.hpp"
#include "base/duration.hpp"
#include "base/encoding.hpp"
#include "base/id.hpp"
#include "base/timestamp.hpp"
#include "check.hpp"
#include "domain/access_token.hpp"
#include "domain/json_pointer.hpp"
#include "domain/retry_schedule.hpp"
#include "domain/text_pattern.hpp"
#include "domain/wildcard.hpp"
#include "egress/line_list.hpp"
#include "http/ascii.hpp"
#include "http/header_rules.hpp"
#include "http/request_id.hpp"
#include "http/target.hpp"

using namespace posthorn;
using fuzz::require;

namespace {

constexpr SystemTime now{std::chrono::seconds(1'800'000'000)};

bool is_all(std::string_view text, bool (*allowed)(char)) {
    return std::all_of(text.begin(), text.end(), allowed);
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }

void check_retry_after(std::string_view text) {
    const auto delay = domain::parse_retry_after(text, now);
    if (delay) require(delay->count() >= 0 && *delay <= std::chrono::hours(24), "a delay is from 0 to 24 h");
    if (text.empty() || text.size() > 4 || !is_all(text, is_digit)) return;
    require(delay == std::chrono::seconds(std::stoi(std::string(text))), "seconds are what they say");
}

void check_timestamp(std::string_view text) {
    const auto time = parse_timestamp(text);
    if (!time) return;
    const auto written = format_timestamp(*time);
    require(parse_timestamp(written) == time, "a time that is written and read is the same");
    require(written.size() == 27 && written.ends_with('Z'), "and written in one way");
}

void check_duration(std::string_view text) {
    if (const auto duration = parse_duration(text)) {
        require(duration->count() >= 0 && *duration <= std::chrono::days(3650),
                "a duration is within its limit");
        require(parse_duration(format_duration(*duration)) == duration, "and written and read the same");
    }
    if (const auto list = parse_durations(text))
        require(list->size() <= text.size(), "no more than were written");
}

void check_ids(std::string_view text) {
    if (const auto id = MessageId::parse(text)) {
        require(id->str() == text, "an id is written in one way");
        require(!EndpointId::parse(text), "and is of one kind");
    }
    if (const auto organization = domain::parse_organization(text)) {
        require(!organization->is_nil() || OrganizationId::parse(text), "an organization is somebody");
        require(OrganizationId::parse(organization->str()) == organization, "and has an id of our own");
    }
    Uuid value;
    std::copy_n(text.begin(), std::min(text.size(), value.bytes.size()), value.bytes.begin());
    require(MessageId::parse(MessageId{value}.str()) == MessageId{value}, "each value is an id");
}

void check_encodings(std::string_view bytes) {
    require(base64_decode(base64_encode(bytes)) == bytes, "base64 is undone");
    require(base64url_decode(base64url_encode(bytes)) == bytes, "base64url is undone");
    require(hex_decode(hex_encode(bytes)) == bytes, "hexadecimal is undone");
    if (const auto decoded = base64_decode(bytes))
        require(base64_encode(*decoded) == bytes, "one text, one value");
    if (const auto decoded = base64url_decode(bytes))
        require(base64url_encode(*decoded) == bytes, "there too");
    if (const auto decoded = hex_decode(bytes))
        require(decoded->size() * 2 == bytes.size(), "two digits a byte");
}

// The body of a subscriber's answer, as people are shown it.
void check_utf8(std::string_view bytes) {
    const bool valid = simdjson::validate_utf8(bytes.data(), bytes.size());
    require(is_valid_utf8(bytes) == valid, "UTF-8 is what others take for it");
    const auto cleaned = to_valid_utf8(bytes);
    require(simdjson::validate_utf8(cleaned.data(), cleaned.size()), "what was cleaned is UTF-8");
    require(cleaned.find('\0') == std::string::npos, "without NUL");
    require(to_valid_utf8(cleaned) == cleaned, "and stays as it is");
    if (valid && bytes.find('\0') == std::string_view::npos)
        require(cleaned == bytes, "what was clean is not touched");
}

void check_header(std::string_view rest) {
    const auto name = fuzz::take_part(rest);
    for (const auto chosen : {http::ContentType::fixed, http::ContentType::chosen}) {
        if (!http::header_problem(name, rest, chosen).empty()) continue;
        egress::LineList lines;
        lines.add({name, ": ", rest});
        lines.add({"After: that"});
        const auto* line = lines.link(nullptr);
        require(std::string_view(line->data) == fmt::format("{}: {}", name, rest),
                "a header goes out as it is");
        require(line->next != nullptr && line->next->next == nullptr, "as one line");
        require(
            rest.find_first_of("\r\n") == std::string_view::npos && name.find(':') == std::string_view::npos,
            "and as one field");
        require(!http::equals_without_case(name, "host") &&
                    !http::equals_without_case(name, "content-length") &&
                    !http::equals_without_case(name, "transfer-encoding"),
                "that frames nothing");
    }
}

void check_target(std::string_view text) {
    for (const auto plus : {http::PlusSign::literal, http::PlusSign::space})
        if (const auto decoded = http::percent_decode(text, plus)) {
            require(is_valid_utf8(*decoded), "what was decoded is UTF-8");
            std::string encoded;
            for (const char c : *decoded) encoded += fmt::format("%{:02x}", static_cast<unsigned char>(c));
            if (decoded->find('\0') == std::string::npos)
                require(http::percent_decode(encoded, plus) == decoded,
                        "and is encoded and decoded the same");
        }
    http::Request request;
    try {
        http::parse_target(text, request);
        require(request.path.starts_with('/'), "a path begins with a slash");
        require(request.query.size() <= http::query_parameter_limit, "parameters are within their limit");
    } catch (const http::Problem& problem) {
        require(problem.status == 400, "or it is refused");
    }
}

void check_request_id(std::string_view text) {
    http::Fields fields;
    fields.add("X-Request-Id", std::string(text));
    const auto id = http::choose_request_id(fields);
    const auto allowed = [](char c) {
        return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' ||
               c == '-';
    };
    require(!id.empty() && id.size() <= 64 && is_all(id, allowed), "a request's id can be logged");
}

// By the definition, in the product of both lengths.
bool matches_by_definition(std::string_view pattern, std::string_view text) {
    std::vector<bool> reached(text.size() + 1, false);
    reached[0] = true;
    while (!pattern.empty()) {
        const bool any = pattern.front() == '*';
        if (pattern.front() == '\\') pattern.remove_prefix(1);
        std::vector<bool> next(text.size() + 1, false);
        for (std::size_t i = 0; i <= text.size(); ++i)
            next[i] = any ? reached[i] || (i > 0 && next[i - 1])
                          : i > 0 && reached[i - 1] && text[i - 1] == pattern.front();
        reached = std::move(next);
        pattern.remove_prefix(1);
    }
    return reached[text.size()];
}

void check_wildcard(std::string_view rest) {
    const auto pattern = fuzz::take_part(rest).substr(0, 64);
    const auto text = rest.substr(0, 256);
    if (const auto wildcard = domain::Wildcard::parse(pattern))
        require(wildcard->matches(text) == matches_by_definition(pattern, text),
                "a wildcard is what it is defined as");
}

void check_pattern(std::string_view rest) {
    const auto pattern = fuzz::take_part(rest);
    if (!is_valid_utf8(pattern) || !is_valid_utf8(rest)) return;  // they come in JSON
    const auto compiled = domain::TextPattern::compile(pattern);
    if (const auto* rule = std::get_if<std::string>(&compiled)) return require(!rule->empty(), "a rule");
    const auto& made = std::get<domain::TextPattern>(compiled);
    require(made.text() == pattern, "a pattern is shown as it was written");
    require(made.cost(rest.size()) > 0, "and costs something");
    made.is_found_in(rest);
}

// A page's iterator, as it comes in a query.
void check_page(std::string_view text) {
    http::Request request;
    request.query.emplace_back("iterator", text);
    request.query.emplace_back("limit", text);
    admin::Problems problems;
    const admin::QueryReader query(request, problems);
    const auto page = admin::read_page<MessageId>(query, admin::Order::descending);
    require(page.limit >= 1 && page.limit <= 250, "a page is within its limit");
    if (page.beyond)
        require((page.backwards ? "-" : "") + page.beyond->str() == text,
                "an iterator is one that was given out");
    const auto names = admin::read_name_page(query, admin::Order::ascending, 256);
    if (names.beyond) require((names.backwards ? "-" : "") + *names.beyond == text, "of names as well");
}

void check_pointer(std::string_view rest) {
    const auto reference = fuzz::take_part(rest);
    boost::system::error_code error;
    const auto root = boost::json::parse({rest.data(), rest.size()}, error);
    if (error) return;
    const auto found = domain::find_referenced(root, reference);
    if (found.value == nullptr) return;
    std::string fragment = "#";
    for (const char c : domain::to_pointer(found.steps)) fragment += c == '%' ? "%25" : std::string(1, c);
    require(domain::find_referenced(root, fragment).value == found.value,
            "a place is found again by its steps");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::array checks{check_retry_after, check_timestamp, check_duration, check_ids,
                                check_encodings,   check_utf8,      check_header,   check_target,
                                check_request_id,  check_wildcard,  check_pattern,  check_page,
                                check_pointer};
    fuzz::run_chosen(checks, fuzz::text_of(data, size));
    return 0;
}
