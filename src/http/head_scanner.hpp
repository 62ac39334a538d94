#pragma once
#include <cstddef>
#include <optional>
#include <string_view>

namespace posthorn::http {

inline constexpr std::size_t target_limit_bytes = std::size_t{8} * 1024;  // beyond: 414
inline constexpr std::size_t field_limit = 100;  // header fields of a request; beyond: 431

// Finds the end of a request's head and refuses, as early as the bytes show it, what must not reach the
// parser at all: bare LF, obs-fold, HTTP/0.9, versions other than 1.0 and 1.1, and what is too long.
class HeadScanner {
public:
    explicit HeadScanner(std::size_t head_limit_bytes) : head_limit_bytes_(head_limit_bytes) {}

    // `bytes` begins with the request's first byte and only grows from call to call. Gives the head's size
    // with its empty line once that has come. Throws Problem (400, 414, 431, 505).
    std::optional<std::size_t> scan(std::string_view bytes);

    void reset() { line_begin_ = scanned_ = lines_ = 0; }

private:
    void check_line(std::string_view line) const;
    void check_size(std::size_t bytes, std::size_t of_request_line) const;

    std::size_t head_limit_bytes_;
    std::size_t line_begin_ = 0;
    std::size_t scanned_ = 0;  // no LF in [line_begin_, scanned_)
    std::size_t lines_ = 0;    // complete ones
};

}  // namespace posthorn::http
