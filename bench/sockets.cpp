#include "bench/sockets.hpp"

#include <cerrno>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/uio.h>
#include <system_error>
#include <unistd.h>

namespace posthorn::bench {

namespace {
constexpr std::size_t read_size = 64 * 1024;

const sockaddr* generic(const sockaddr_in& address) { return reinterpret_cast<const sockaddr*>(&address); }
}  // namespace

void fail_with_errno(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

Descriptor::~Descriptor() {
    if (number_ >= 0) close(number_);
}

void Poller::add(int descriptor, std::uint64_t tag) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = tag;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event) != 0) fail_with_errno("epoll_ctl");
}

std::span<const epoll_event> Poller::wait(int limit_ms) {
    const int count = epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), limit_ms);
    if (count < 0 && errno != EINTR) fail_with_errno("epoll_wait");
    return {events_.data(), count < 0 ? 0 : static_cast<std::size_t>(count)};
}

sockaddr_in loopback_address(std::uint32_t host_number, std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + host_number);
    return address;
}

Stream::Stream(Descriptor socket) : socket_(std::move(socket)) {
    const int one = 1;
    if (setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0)
        fail_with_errno("setsockopt(TCP_NODELAY)");
}

std::optional<std::string_view> Stream::read() {
    thread_local std::array<char, read_size> buffer;
    const auto count = recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return std::string_view(kept_);
    if (count <= 0) return std::nullopt;
    const std::string_view received(buffer.data(), static_cast<std::size_t>(count));
    if (kept_.empty()) return received;
    kept_ += received;
    return std::string_view(kept_);
}

void Stream::keep(std::string_view incomplete) { kept_ = std::string(incomplete); }

void Stream::write(std::string_view first, std::string_view second) {
    std::array<iovec, 2> parts{iovec{const_cast<char*>(first.data()), first.size()},
                               iovec{const_cast<char*>(second.data()), second.size()}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = second.empty() ? 1 : 2;
    const auto count = sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno != EAGAIN) fail_with_errno("sendmsg");
    if (count != static_cast<ssize_t>(first.size() + second.size()))
        throw std::runtime_error("a peer does not read what it is sent");
}

Stream connect_to(const sockaddr_in& address) {
    Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    if (connect(socket.get(), generic(address), sizeof address) != 0) fail_with_errno("connect");
    return Stream(std::move(socket));
}

}  // namespace posthorn::bench
