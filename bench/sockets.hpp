#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <netinet/in.h>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <utility>

struct ssl_st;  // OpenSSL's SSL

namespace posthorn::bench {

[[noreturn]] void fail_with_errno(const char* what);  // std::system_error

// A file descriptor that is closed with this object.
class Descriptor {
public:
    Descriptor() = default;
    Descriptor(int number, const char* what) : number_(number) {
        if (number < 0) fail_with_errno(what);
    }
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~Descriptor();
    int get() const { return number_; }

private:
    int number_ = -1;
};

// epoll, level-triggered.
class Poller {
public:
    void add(int descriptor, std::uint64_t tag);                   // for reading
    void change(int descriptor, std::uint64_t tag, bool writing);  // for reading, and writing too
    // The tags of what is ready; none at the limit or after a signal.
    std::span<const epoll_event> wait(int limit_ms);

private:
    Descriptor epoll_{epoll_create1(EPOLL_CLOEXEC), "epoll_create1"};
    std::array<epoll_event, 256> events_{};
};

std::string loopback_text(std::uint32_t host_number);  // "127.0.0.1" for 0
sockaddr_in loopback_address(std::uint32_t host_number, std::uint16_t port);

struct FreeTls {
    void operator()(ssl_st* session) const;
};
using TlsSession = std::unique_ptr<ssl_st, FreeTls>;

// An open TCP connection, perhaps with TLS over it, that is read in pieces. What is incomplete is kept until
// the rest has come.
class Stream {
public:
    // tls: of a server, in its accept state, or none.
    explicit Stream(Descriptor socket, TlsSession tls = nullptr);

    int descriptor() const { return socket_.get(); }
    // What can be read now, after what was kept; nothing when the peer has closed. The result is good until
    // the next call, for any stream of this thread.
    std::optional<std::string_view> read();
    void keep(std::string_view incomplete);  // a tail of the last result

    // Both parts. What the socket does not take waits for flush(). Throws std::system_error.
    void write(std::string_view first, std::string_view second = {});
    bool speaks_http2() const;  // agreed upon in the TLS handshake; known once something was read
    bool has_unsent() const { return !unsent_.empty(); }
    void flush();

private:
    ssize_t receive(std::span<char> buffer);  // 0: closed; below: nothing yet
    std::size_t send(std::string_view first, std::string_view second);
    std::size_t send_over_tls(std::string_view bytes);

    Descriptor socket_;
    TlsSession tls_;
    std::string kept_, unsent_;
};

Stream connect_to(const sockaddr_in& address);  // throws std::system_error

}  // namespace posthorn::bench
