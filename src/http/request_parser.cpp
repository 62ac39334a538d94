#include "http/request_parser.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <optional>

#include "http/ascii.hpp"
#include "http/target.hpp"

namespace posthorn::http {
namespace {

namespace beast_http = boost::beast::http;
using boost::beast::error_code;
using BeastText = boost::beast::string_view;

// A client's claim of a length is no reason to set memory aside before its bytes arrive.
constexpr std::size_t trusted_length_bytes = std::size_t{64} * 1024;

constexpr std::size_t usual_fields = 12;  // most requests have fewer

std::string_view view(BeastText text) { return {text.data(), text.size()}; }

Problem bad_request(std::string detail) { return {400, "bad_request", std::move(detail)}; }

Method to_method(beast_http::verb verb) {
    switch (verb) {
        case beast_http::verb::get:
            return Method::get;
        case beast_http::verb::head:
            return Method::head;
        case beast_http::verb::post:
            return Method::post;
        case beast_http::verb::put:
            return Method::put;
        case beast_http::verb::patch:
            return Method::patch;
        case beast_http::verb::delete_:
            return Method::del;
        case beast_http::verb::options:
            return Method::options;
        default:
            return Method::other;
    }
}

Problem to_problem(const error_code& error, std::size_t body_limit_bytes) {
    if (error == beast_http::error::body_limit)
        return {413, "payload_too_large",
                "The request's body is larger than " + std::to_string(body_limit_bytes) + " bytes."};
    return bad_request("The request is no valid HTTP: " + error.message() + ".");
}

// Beast's grammar, with its findings put into our own Request. It is stricter than Beast about what decides
// where a request ends, since a proxy in front may decide otherwise (request smuggling: RFC 9112, 6.3, 11.2).
class BeastRequestParser final : public beast_http::basic_parser<true> {
public:
    BeastRequestParser(Request& request, std::size_t head_limit_bytes, std::size_t body_limit_bytes)
        : request_(request) {
        // The scanner guards the head's size already.
        header_limit(static_cast<std::uint32_t>(std::min<std::size_t>(head_limit_bytes + 1, UINT32_MAX)));
        body_limit(body_limit_bytes);
    }

    bool takes_continue() const { return expects_continue_ && version_ == 11; }
    bool wants_keep_alive() const { return version_ == 11 && keep_alive(); }
    bool awaits_first_chunk() const { return chunked() && !chunk_was_met_; }

private:
    void on_request_impl(beast_http::verb verb, BeastText, BeastText target, int version,
                         error_code&) override {
        version_ = version;
        request_.method = to_method(verb);
        request_.fields.reserve(usual_fields);
        http::parse_target(view(target), request_);
    }

    void on_field_impl(beast_http::field field, BeastText name, BeastText value, error_code&) override {
        if (head_is_done_) return;  // a trailer: nothing of it is used (RFC 9110, 6.5.1)
        switch (field) {
            case beast_http::field::host:
                on_host(view(value));
                break;
            case beast_http::field::content_length:
                on_content_length(view(value));
                break;
            case beast_http::field::transfer_encoding:
                on_transfer_encoding(view(value));
                break;
            case beast_http::field::expect:
                expects_continue_ = equals_without_case(view(value), "100-continue");
                break;
            default:
                break;
        }
        request_.fields.add(std::string(view(name)), std::string(view(value)));
    }

    void on_host(std::string_view value) {
        const auto allowed = [](char c) {
            return is_letter(c) || http::is_digit(c) ||
                   std::string_view("-._~%!$&'()*+;=:[]").find(c) != std::string_view::npos;
        };
        if (++hosts_ > 1) throw bad_request("The Host field is repeated.");
        if (!std::ranges::all_of(value, allowed)) throw bad_request("The Host field is no host.");
    }

    static void on_content_length(std::string_view value) {
        if (!std::ranges::all_of(value, http::is_digit))
            throw bad_request("The Content-Length is no number.");
    }

    void on_transfer_encoding(std::string_view value) const {
        if (version_ != 11) throw bad_request("Transfer-Encoding belongs to HTTP/1.1.");
        if (!equals_without_case(value, "chunked"))
            throw bad_request("The only Transfer-Encoding taken is \"chunked\", once.");
    }

    void on_header_impl(error_code&) override {
        head_is_done_ = true;
        if (hosts_ == 0 && version_ == 11) throw bad_request("The Host field is missing.");
    }

    void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code&) override {
        if (length) request_.body.reserve(std::min<std::uint64_t>(*length, trusted_length_bytes));
    }

    std::size_t on_body_impl(BeastText body, error_code&) override {
        request_.body.append(body.data(), body.size());
        return body.size();
    }

    // Beast lets any byte stand between the quotes of an extension; where a proxy takes a bare LF for the
    // line's end, it would read another chunk.
    void on_chunk_header_impl(std::uint64_t, BeastText extensions, error_code&) override {
        chunk_was_met_ = true;
        if (std::ranges::any_of(view(extensions), [](char c) { return is_control(c) && c != '\t'; }))
            throw bad_request("A chunk's extension holds a control character.");
    }

    std::size_t on_chunk_body_impl(std::uint64_t, BeastText body, error_code&) override {
        request_.body.append(body.data(), body.size());
        return body.size();
    }

    void on_response_impl(int, BeastText, int, error_code&) override {}
    void on_finish_impl(error_code&) override {}

    Request& request_;
    int version_ = 11;
    int hosts_ = 0;
    bool expects_continue_ = false;
    bool head_is_done_ = false;
    bool chunk_was_met_ = false;
};

// "0", CRLF, CRLF. Beast takes it for granted that a last chunk which is also the first comes in no smaller
// pieces.
constexpr std::size_t shortest_chunked_body_bytes = 5;

}  // namespace

// Holds one parser a request: Beast's can't be used again.
struct RequestParser::Grammar {
    std::optional<BeastRequestParser> parser;
    bool expectation_was_taken = false;

    std::size_t put(std::string_view bytes, std::size_t body_limit_bytes, bool& needs_more) {
        needs_more = parser->awaits_first_chunk() && bytes.size() < shortest_chunked_body_bytes;
        if (needs_more) return 0;
        error_code error;
        const auto used = parser->put(boost::asio::buffer(bytes), error);
        needs_more = error == beast_http::error::need_more;
        if (error && !needs_more) throw to_problem(error, body_limit_bytes);
        return used;
    }
};

RequestParser::RequestParser(std::size_t head_limit_bytes, std::size_t body_limit_bytes)
    : head_limit_bytes_(head_limit_bytes),
      body_limit_bytes_(body_limit_bytes),
      scanner_(head_limit_bytes),
      grammar_(std::make_unique<Grammar>()) {}

RequestParser::~RequestParser() = default;

RequestParser::Phase RequestParser::phase(const InputBuffer& input) const {
    if (grammar_->parser) return Phase::body;
    return input.empty() ? Phase::idle : Phase::head;
}

std::size_t RequestParser::unfinished_body_bytes() const {
    return grammar_->parser ? result_.request.body.size() : 0;
}

RequestParser::Step RequestParser::advance(InputBuffer& input) {
    if (grammar_->parser) return advance_body(input);
    // Some clients end a body with an empty line that they don't count (RFC 9112, 2.2).
    while (input.unread().starts_with("\r\n")) input.consume(2);
    if (input.empty() || input.unread() == "\r") return Step::need_more;
    const auto head = scanner_.scan(input.unread());
    if (!head) return Step::need_more;

    scanner_.reset();
    auto& parser = grammar_->parser.emplace(result_.request, head_limit_bytes_, body_limit_bytes_);
    grammar_->expectation_was_taken = false;
    bool needs_more = false;
    grammar_->put(input.unread().substr(0, *head), body_limit_bytes_, needs_more);
    if (needs_more) throw bad_request("The request's header ends too early.");
    input.consume(*head);
    result_.bytes = *head;
    if (parser.is_done()) return Step::complete;
    parser.eager(true);
    return advance_body(input);
}

RequestParser::Step RequestParser::advance_body(InputBuffer& input) {
    if (input.empty()) return Step::need_more;
    bool needs_more = false;
    const auto used = grammar_->put(input.unread(), body_limit_bytes_, needs_more);
    input.consume(used);
    result_.bytes += used;
    if (grammar_->parser->is_done()) return Step::complete;
    if (needs_more && input.unread().size() >= head_limit_bytes_)
        throw Problem{431, "header_too_large",
                      "A chunk's header or the trailer is longer than " + std::to_string(head_limit_bytes_) +
                          " bytes."};
    return Step::need_more;
}

RequestParser::Result RequestParser::take() {
    result_.keep_alive = grammar_->parser->wants_keep_alive();
    grammar_->parser.reset();
    return std::exchange(result_, Result{});
}

bool RequestParser::take_expectation() {
    if (!grammar_->parser || grammar_->expectation_was_taken) return false;
    grammar_->expectation_was_taken = true;
    return grammar_->parser->takes_continue();
}

}  // namespace posthorn::http
