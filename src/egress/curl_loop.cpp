#include "egress/curl_loop.hpp"

#include <array>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <string>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

#include "base/crash_point.hpp"

namespace posthorn::egress {

namespace asio = boost::asio;

void check(CURLcode code) {
    if (code != CURLE_OK) throw std::runtime_error(std::string("libcurl: ") + curl_easy_strerror(code));
}

void check(CURLMcode code) {
    if (code != CURLM_OK) throw std::runtime_error(std::string("libcurl: ") + curl_multi_strerror(code));
}

namespace {

CURLM* open_multi() {
    static const CURLcode library = curl_global_init(CURL_GLOBAL_DEFAULT);
    check(library);
    CURLM* multi = curl_multi_init();
    if (multi == nullptr) throw std::runtime_error("libcurl: no multi handle");
    return multi;
}

int open_epoll() {
    const int number = epoll_create1(EPOLL_CLOEXEC);
    if (number < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
    return number;
}

std::uint32_t to_epoll(int curl_poll) {
    std::uint32_t events = 0;
    if (curl_poll == CURL_POLL_IN || curl_poll == CURL_POLL_INOUT) events |= EPOLLIN;
    if (curl_poll == CURL_POLL_OUT || curl_poll == CURL_POLL_INOUT) events |= EPOLLOUT;
    return events;
}

// An ordinary answer has come to its end before the first look.
constexpr std::uint32_t events_between_looks = 64;

// Since the connection began.
std::uint64_t bytes_received(curl_socket_t number) {
    // In Linux' struct tcp_info; the C library's ends before it, and linux/tcp.h excludes netinet/tcp.h.
    constexpr std::size_t offset_of_bytes_received = 128;
    std::array<char, offset_of_bytes_received + sizeof(std::uint64_t)> info{};
    socklen_t size = info.size();
    std::uint64_t received = 0;
    if (getsockopt(number, IPPROTO_TCP, TCP_INFO, info.data(), &size) == 0 && size == info.size())
        std::memcpy(&received, info.data() + offset_of_bytes_received, sizeof received);
    return received;
}

int to_curl(std::uint32_t events) {
    int mask = 0;
    if ((events & EPOLLIN) != 0) mask |= CURL_CSELECT_IN;
    if ((events & EPOLLOUT) != 0) mask |= CURL_CSELECT_OUT;
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) mask |= CURL_CSELECT_ERR;
    return mask;
}

}  // namespace

CurlLoop::CurlLoop(asio::any_io_executor executor, std::size_t connections, std::uint64_t receive_limit_bytes,
                   Ended ended)
    : executor_(std::move(executor)),
      multi_(open_multi()),
      epoll_(executor_, open_epoll()),
      timer_(executor_, [this] { act_on_time(); }),
      receive_limit_bytes_(receive_limit_bytes),
      ended_(std::move(ended)) {
    check(curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlLoop::on_socket));
    check(curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this));
    check(curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlLoop::on_timer));
    check(curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this));
    check(curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(connections)));
    // No two requests on one HTTP/2 connection at a time: cutting one must not cut its neighbour.
    check(curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING)));
}

CurlLoop::~CurlLoop() {
    alive_.reset();
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, nullptr);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, nullptr);
    curl_multi_cleanup(multi_);
}

void CurlLoop::adopt(CURL* handle) {
    check(curl_easy_setopt(handle, CURLOPT_CLOSESOCKETFUNCTION, &CurlLoop::on_close));
    check(curl_easy_setopt(handle, CURLOPT_CLOSESOCKETDATA, this));
}

void CurlLoop::add(CURL* handle) {
    check(curl_multi_add_handle(multi_, handle));
    ++added_;
    if (!waiting_) wait();
}

void CurlLoop::remove(CURL* handle) {
    check(curl_multi_remove_handle(multi_, handle));
    if (--added_ > 0) return;
    timer_.stop();
    epoll_.cancel();
}

void CurlLoop::cut(CURL* handle) {
    for (std::size_t number = 0; number < sockets_.size(); ++number)
        if (sockets_[number].user == handle) shutdown(static_cast<int>(number), SHUT_RDWR);
    remove(handle);
}

int CurlLoop::on_socket(CURL* handle, curl_socket_t number, int what, void* argument, void*) noexcept {
    auto& self = *static_cast<CurlLoop*>(argument);
    const auto index = static_cast<std::size_t>(number);
    if (index >= self.sockets_.size()) self.sockets_.resize(index + 64);
    auto& socket = self.sockets_[index];
    if (what == CURL_POLL_IN) crash_point(CrashPoint::request_sent);
    socket.wanted = to_epoll(what);
    CURL* const user = what == CURL_POLL_REMOVE ? nullptr : handle;
    if (user != std::exchange(socket.user, user)) {
        socket.events_taken = 0;
        socket.received_before.reset();
    }
    if (socket.wanted != 0) {
        if (socket.registered != socket.wanted) self.watch(number, socket.wanted);
    } else if ((socket.registered & EPOLLOUT) != 0) {
        self.watch(number, EPOLLIN);  // idle, but writable all the time
    }
    return 0;
}

int CurlLoop::on_close(void* argument, curl_socket_t number) noexcept {
    auto& self = *static_cast<CurlLoop*>(argument);
    const auto index = static_cast<std::size_t>(number);
    if (index < self.sockets_.size()) self.sockets_[index] = {};
    return ::close(number);
}

void CurlLoop::watch(curl_socket_t number, std::uint32_t events) {
    auto& registered = sockets_[static_cast<std::size_t>(number)].registered;
    epoll_event event{};
    event.events = events;
    event.data.fd = number;
    const int set = epoll_.native_handle();
    const int operation = events == 0 ? EPOLL_CTL_DEL : registered != 0 ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    int status = epoll_ctl(set, operation, number, &event);
    // A socket that curl closed behind our back left the set by itself, and its number may be another's now.
    if (status != 0 && errno == ENOENT && events != 0) status = epoll_ctl(set, EPOLL_CTL_ADD, number, &event);
    registered = status == 0 ? events : 0;
}

int CurlLoop::on_timer(CURLM*, long milliseconds, void* argument) noexcept {
    auto& self = *static_cast<CurlLoop*>(argument);
    if (milliseconds < 0) {
        self.timer_.clear();
    } else if (milliseconds > 0) {
        self.timer_.set(std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds));
    } else if (!self.kicked_) {
        self.kicked_ = true;
        asio::post(self.executor_, [&self, alive = std::weak_ptr(self.alive_)] {
            if (alive.expired()) return;
            self.kicked_ = false;
            self.act_on_time();
        });
    }
    return 0;
}

void CurlLoop::wait() {
    waiting_ = true;
    epoll_.async_wait(asio::posix::descriptor_base::wait_read,
                      [this, alive = std::weak_ptr(alive_)](const auto& error) {
                          if (alive.expired()) return;
                          waiting_ = false;
                          if (!error) take_events();
                          if (added_ > 0 && !waiting_) wait();
                      });
}

void CurlLoop::take_events() {
    std::array<epoll_event, 256> events;
    int count = 0;
    do {
        count = epoll_wait(epoll_.native_handle(), events.data(), static_cast<int>(events.size()), 0);
        for (int i = 0; i < count; ++i) {
            const auto& event = events[static_cast<std::size_t>(i)];
            const int number = event.data.fd;
            // An idle connection was closed or spoke up: curl sees it when it wants to reuse it.
            if (sockets_[static_cast<std::size_t>(number)].wanted == 0)
                watch(number, 0);
            else if (receives_too_much(number))
                ended_(sockets_[static_cast<std::size_t>(number)].user, CURLE_FILESIZE_EXCEEDED);
            else
                act(number, to_curl(event.events));
        }
        report_ended();
    } while (count == static_cast<int>(events.size()));
}

void CurlLoop::act(curl_socket_t number, int events) {
    int running = 0;
    check(curl_multi_socket_action(multi_, number, events, &running));
}

bool CurlLoop::receives_too_much(curl_socket_t number) {
    auto& socket = sockets_[static_cast<std::size_t>(number)];
    if (++socket.events_taken % events_between_looks != 0) return false;
    const auto received = bytes_received(number);
    if (!socket.received_before) socket.received_before = received;
    return received - *socket.received_before > receive_limit_bytes_;
}

void CurlLoop::act_on_time() {
    act(CURL_SOCKET_TIMEOUT, 0);
    report_ended();
}

void CurlLoop::report_ended() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left))
        if (message->msg == CURLMSG_DONE)
            just_ended_.emplace_back(message->easy_handle, message->data.result);
    for (const auto& [handle, code] : just_ended_) ended_(handle, code);
    just_ended_.clear();
}

}  // namespace posthorn::egress
