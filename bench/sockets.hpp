#pragma once
#include <array>
#include <cstdint>
#include <netinet/in.h>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <utility>

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

// epoll, level-triggered, for reading.
class Poller {
public:
    void add(int descriptor, std::uint64_t tag);
    // The tags of what can be read; none at the limit or after a signal.
    std::span<const epoll_event> wait(int limit_ms);

private:
    Descriptor epoll_{epoll_create1(EPOLL_CLOEXEC), "epoll_create1"};
    std::array<epoll_event, 256> events_{};
};

sockaddr_in loopback_address(std::uint32_t host_number, std::uint16_t port);

// An open TCP connection that is read in pieces. What is incomplete is kept until the rest has come.
class Stream {
public:
    explicit Stream(Descriptor socket);

    int descriptor() const { return socket_.get(); }
    // What can be read now, after what was kept; nothing when the peer has closed. The result is good until
    // the next call, for any stream of this thread.
    std::optional<std::string_view> read();
    void keep(std::string_view incomplete);  // a tail of the last result
    // All parts at once. Throws std::runtime_error if the socket's buffer is full.
    void write(std::string_view first, std::string_view second = {});

private:
    Descriptor socket_;
    std::string kept_;
};

Stream connect_to(const sockaddr_in& address);  // throws std::system_error

}  // namespace posthorn::bench
