#pragma once
#include <chrono>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret.hpp"

namespace posthorn::egress {

// No answer came; what() says from where and why.
class ApiUnreachable : public std::runtime_error {
public:
    ApiUnreachable(const std::string& what, bool refused) : std::runtime_error(what), refused_(refused) {}
    bool refused() const { return refused_; }  // nobody listens there

private:
    bool refused_;
};

struct ApiAnswer {
    int status = 0;
    std::string body;
    std::vector<std::pair<std::string, std::string>> fields;  // names in lower case
};

// A client of a running service's API, for commands and tests: blocking, its connection kept, used by one
// thread. No redirect is followed, no proxy asked.
class ApiClient {
public:
    struct Options {
        std::string
            server;    // "http://127.0.0.1:8071"; what follows the host is kept as a prefix of every path
        Secret token;  // sent as Authorization: Bearer; empty: none
        std::chrono::milliseconds connect_timeout{5'000};
        std::chrono::milliseconds timeout{60'000};  // of a whole call
        std::size_t answer_limit_bytes = 64 * 1024 * 1024;
    };
    using Fields = std::vector<std::pair<std::string, std::string>>;

    explicit ApiClient(Options options);
    ~ApiClient();
    ApiClient(ApiClient&&) noexcept;

    // A body is sent as application/json. Throws ApiUnreachable; std::invalid_argument for a control
    // character in a field.
    ApiAnswer call(std::string_view method, const std::string& path, std::string_view body = {},
                   const Fields& fields = {});
    const std::string& server() const;
    void set_token(Secret token);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace posthorn::egress
