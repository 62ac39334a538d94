#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "bench/http_frame.hpp"

struct nghttp2_session;

namespace posthorn::bench {

// One HTTP/2 connection (RFC 9113) from the subscriber's side, over nghttp2.
class Http2Session {
public:
    // Answers a request with a status. The request looks as one of HTTP/1.1 would.
    using Answer = std::function<int(const HttpFrame& request)>;
    explicit Http2Session(Answer answer);
    ~Http2Session();
    Http2Session(const Http2Session&) = delete;
    Http2Session& operator=(const Http2Session&) = delete;

    // Takes what was received; what is to be sent. Throws std::runtime_error for what is no HTTP/2.
    std::string receive(std::string_view bytes);

private:
    struct Request {
        std::string path, fields, body;
    };
    struct Callbacks;

    void answer(std::int32_t stream);

    Answer answer_;
    std::unordered_map<std::int32_t, Request> requests_;  // by stream
    nghttp2_session* session_ = nullptr;
};

}  // namespace posthorn::bench
