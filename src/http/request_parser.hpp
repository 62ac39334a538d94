#pragma once
#include <cstddef>
#include <memory>
#include <utility>

#include "http/head_scanner.hpp"
#include "http/input_buffer.hpp"
#include "http/message.hpp"

namespace posthorn::http {

// Finds requests in the bytes of one connection. Does no I/O: the connection feeds it, tests step it.
class RequestParser {
public:
    RequestParser(std::size_t head_limit_bytes, std::size_t body_limit_bytes);
    RequestParser(const RequestParser&) = delete;
    RequestParser& operator=(const RequestParser&) = delete;
    ~RequestParser();

    enum class Step { need_more, complete };
    // Consumes input up to the end of one request at most. Throws Problem for a request that must not be
    // served; the connection's framing is lost then, and the parser of no further use.
    Step advance(InputBuffer& input);

    enum class Phase { idle, head, body };  // where in a request the input ends
    Phase phase(const InputBuffer& input) const;
    std::size_t unfinished_body_bytes() const;  // held of a request that is not complete

    struct Result {
        Request request;  // method, path, query, fields, body
        bool keep_alive = true;
        std::size_t bytes = 0;  // as received, framing included
    };
    // The request found; to be called once after each Step::complete.
    Result take();

    // What is known of a request that is not complete, for the answer that refuses it.
    Result take_partial() { return std::exchange(result_, Result{}); }

    // True once for a request whose client waits for "100 Continue" before it sends the body (RFC
    // 9110, 10.1.1).
    bool take_expectation();

private:
    struct Grammar;

    Step advance_body(InputBuffer& input);

    std::size_t head_limit_bytes_;
    std::size_t body_limit_bytes_;
    HeadScanner scanner_;
    Result result_;
    std::unique_ptr<Grammar> grammar_;
};

}  // namespace posthorn::http
