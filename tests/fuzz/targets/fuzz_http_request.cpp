// The bytes of one connection: the first says where they are cut into the pieces that they arrive in. However
// that is, the same requests are found, or the same refusal; what is found is within the limits, and printed
// and read again it is the same request.
#include <cstring>
#include <fmt/format.h>
#include <optional>
#include <vector>

#include "base/encoding.hpp"
#include "base/random.hpp"
#include "check.hpp"
#include "http/header_rules.hpp"
#include "http/request_parser.hpp"

using namespace posthorn;
using fuzz::require;

namespace {

constexpr std::size_t head_limit_bytes = 1024, body_limit_bytes = 512, input_limit_bytes = 8192;

struct Found {
    std::vector<http::RequestParser::Result> requests;
    std::optional<http::Problem> refusal;
    std::vector<bool> continues;  // of the requests: the client waits for 100 Continue
};

void add(http::InputBuffer& input, std::string_view bytes) {
    const auto space = input.prepare();
    require(space.size() >= bytes.size(), "there is room for what arrives, since the parser refuses earlier");
    std::memcpy(space.data(), bytes.data(), bytes.size());
    input.commit(bytes.size());
}

// False: the connection is of no further use.
bool advance(http::RequestParser& parser, http::InputBuffer& input, Found& found) {
    try {
        while (parser.advance(input) == http::RequestParser::Step::complete) {
            found.continues.push_back(parser.take_expectation());
            found.requests.push_back(parser.take());
        }
        return true;
    } catch (http::Problem& problem) {
        found.refusal = std::move(problem);
        return false;
    }
}

// longest: of a piece; 0: all at once, as far as the buffer has room.
Found read(std::string_view bytes, std::uint8_t longest, std::uint64_t seed) {
    http::InputBuffer input(input_limit_bytes);
    http::RequestParser parser(head_limit_bytes, body_limit_bytes);
    Random random(seed);
    Found found;
    while (!bytes.empty()) {
        const auto wanted = longest == 0 ? bytes.size() : 1 + random.next() % longest;
        const auto piece = bytes.substr(0, std::min(wanted, input.prepare().size()));
        add(input, piece);
        bytes.remove_prefix(piece.size());
        if (!advance(parser, input, found)) break;
    }
    return found;
}

// The one limit of what may gather, not of what may come: a long chunk header or trailer passes if it comes
// at once.
bool is_of_waiting(const Found& found) {
    return found.refusal && found.refusal->detail.starts_with("A chunk's header or the trailer");
}

void require_same(const http::Request& one, const http::Request& other) {
    require(one.method == other.method, "the same method");
    require(one.path == other.path, "the same path");
    require(one.query == other.query, "the same query");
    require(one.fields.all() == other.fields.all(), "the same fields");
    require(one.body == other.body, "the same body");
}

void check_limits(const http::RequestParser::Result& found) {
    const auto& request = found.request;
    require(request.body.size() <= body_limit_bytes, "a body is within its limit");
    require(request.fields.all().size() <= http::field_limit, "fields are within their limit");
    require(request.query.size() <= 100, "parameters are within their limit");
    require(request.path.starts_with('/') || request.path == "*", "a path begins with a slash");
    require(found.bytes >= request.body.size(), "a request is no shorter than its body");
    for (const auto& [name, value] : request.fields.all()) {
        require(!name.empty(), "a field has a name");
        require(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos,
                "a value is one line");
    }
    for (const auto& [name, value] : request.query)
        require(is_valid_utf8(name) && is_valid_utf8(value) && value.find('\0') == std::string::npos,
                "a parameter can be stored");
}

std::string percent_encoded(std::string_view text) {
    std::string encoded;
    for (const char c : text) encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    return encoded;
}

// With the body framed by its length, whatever framed it before.
std::string printed(const http::Request& request) {
    std::string target = request.path;
    for (std::size_t i = 0; i < request.query.size(); ++i)
        target += fmt::format("{}{}={}", i == 0 ? '?' : '&', percent_encoded(request.query[i].first),
                              percent_encoded(request.query[i].second));
    std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: a\r\n", to_string(request.method), target);
    return text + fmt::format("Content-Length: {}\r\n\r\n{}", request.body.size(), request.body);
}

void check_printed(const http::Request& request) {
    if (request.method == http::Method::other) return;
    http::InputBuffer input(65'536);
    http::RequestParser parser(32'768, body_limit_bytes);
    const auto text = printed(request);
    if (text.size() > 8'000) return;  // each byte of the query is three
    std::string_view rest = text;
    auto step = http::RequestParser::Step::need_more;
    while (!rest.empty() && step == http::RequestParser::Step::need_more) {
        const auto piece = rest.substr(0, input.prepare().size());
        add(input, piece);
        rest.remove_prefix(piece.size());
        step = parser.advance(input);
    }
    require(step == http::RequestParser::Step::complete && rest.empty() && input.empty(),
            "what is printed is one request");
    auto again = parser.take().request;
    require(again.fields.all().size() == 2, "of two fields");
    again.fields = request.fields;
    require_same(request, again);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto bytes = fuzz::text_of(data, size);
    const auto seed = fuzz::take_byte(bytes);
    const auto whole = read(bytes, 0, 0);
    for (const std::uint8_t longest : {std::uint8_t{1}, static_cast<std::uint8_t>(1 + seed % 64)}) {
        const auto cut = read(bytes, longest, seed);
        if (is_of_waiting(whole) || is_of_waiting(cut)) continue;
        require(whole.requests.size() == cut.requests.size(), "as many requests, however they arrive");
        require(whole.refusal.has_value() == cut.refusal.has_value(), "refused, however it arrives");
        if (whole.refusal)
            require(whole.refusal->status == cut.refusal->status, "with the same status, however it arrives");
        require(whole.continues == cut.continues, "the same wait for 100 Continue");
        for (std::size_t i = 0; i < whole.requests.size(); ++i) {
            require_same(whole.requests[i].request, cut.requests[i].request);
            require(whole.requests[i].keep_alive == cut.requests[i].keep_alive,
                    "the same end of the connection");
            require(whole.requests[i].bytes == cut.requests[i].bytes, "the same length");
        }
    }
    for (const auto& found : whole.requests) {
        check_limits(found);
        check_printed(found.request);
    }
    return 0;
}
