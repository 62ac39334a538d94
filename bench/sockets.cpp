#include "bench/sockets.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
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

void Poller::change(int descriptor, std::uint64_t tag, bool writing) {
    epoll_event event{};
    event.events = EPOLLIN;
    if (writing) event.events |= EPOLLOUT;
    event.data.u64 = tag;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, descriptor, &event) != 0) fail_with_errno("epoll_ctl");
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

std::string loopback_text(std::uint32_t host_number) {
    const auto address = loopback_address(host_number, 0);
    std::array<char, INET_ADDRSTRLEN> text{};
    inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size());
    return text.data();
}

void FreeTls::operator()(ssl_st* session) const { SSL_free(session); }

Stream::Stream(Descriptor socket, TlsSession tls) : socket_(std::move(socket)), tls_(std::move(tls)) {
    const int one = 1;
    if (setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0)
        fail_with_errno("setsockopt(TCP_NODELAY)");
    if (tls_) SSL_set_fd(tls_.get(), socket_.get());
}

std::optional<std::string_view> Stream::read() {
    thread_local std::array<char, read_size> buffer;
    const auto count = receive(buffer);
    if (count < 0) return std::string_view(kept_);
    if (count == 0) return std::nullopt;
    const std::string_view received(buffer.data(), static_cast<std::size_t>(count));
    if (kept_.empty()) return received;
    kept_ += received;
    return std::string_view(kept_);
}

ssize_t Stream::receive(std::span<char> buffer) {
    if (tls_) {
        ERR_clear_error();
        const int count = SSL_read(tls_.get(), buffer.data(), static_cast<int>(buffer.size()));
        if (count > 0) return count;
        const int error = SSL_get_error(tls_.get(), count);
        return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? -1 : 0;
    }
    const auto count = recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count < 0) return errno == EAGAIN || errno == EINTR ? -1 : 0;
    return count;
}

void Stream::keep(std::string_view incomplete) {
    if (incomplete.data() == kept_.data() && incomplete.size() == kept_.size()) return;
    kept_ = std::string(incomplete);
}

void Stream::write(std::string_view first, std::string_view second) {
    const auto sent = has_unsent() ? 0 : send(first, second);
    if (sent < first.size()) unsent_ += first.substr(sent);
    unsent_ += second.substr(std::min(second.size(), sent - std::min(sent, first.size())));
}

bool Stream::speaks_http2() const {
    if (!tls_) return false;
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(tls_.get(), &name, &size);
    return std::string_view(reinterpret_cast<const char*>(name), size) == "h2";
}

void Stream::flush() { unsent_.erase(0, send(unsent_, {})); }

std::size_t Stream::send(std::string_view first, std::string_view second) {
    if (tls_) {
        const auto sent = send_over_tls(first);
        return sent == first.size() ? sent + send_over_tls(second) : sent;
    }
    std::array<iovec, 2> parts{iovec{const_cast<char*>(first.data()), first.size()},
                               iovec{const_cast<char*>(second.data()), second.size()}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = second.empty() ? 1 : 2;
    const auto count = sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno != EAGAIN) fail_with_errno("sendmsg");
    return count < 0 ? 0 : static_cast<std::size_t>(count);
}

std::size_t Stream::send_over_tls(std::string_view bytes) {
    std::size_t sent = 0;
    if (bytes.empty()) return sent;
    ERR_clear_error();
    if (SSL_write_ex(tls_.get(), bytes.data(), bytes.size(), &sent) == 1) return sent;
    const int error = SSL_get_error(tls_.get(), 0);
    if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ) return 0;
    throw std::system_error(EPIPE, std::generic_category(), "SSL_write");
}

Stream connect_to(const sockaddr_in& address) {
    Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    if (connect(socket.get(), generic(address), sizeof address) != 0) fail_with_errno("connect");
    return Stream(std::move(socket));
}

}  // namespace posthorn::bench
