#include "support/scripted_server.hpp"

#include <arpa/inet.h>
#include <array>
#include <chrono>
#include <csignal>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace posthorn::egress::test {

using namespace std::chrono_literals;

namespace {

constexpr timeval longest_wait{10, 0};

// OpenSSL writes without MSG_NOSIGNAL. On the script's thread alone: the client must do without.
void block_sigpipe() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

std::size_t content_length(std::string_view head) {
    const auto at = head.find("Content-Length: ");
    if (at == std::string_view::npos) return 0;
    return std::stoul(std::string(head.substr(at + 16, 20)));
}

}  // namespace

Peer::~Peer() {
    SSL_free(session_);
    ::close(socket_);
}

bool Peer::handshake() {
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &longest_wait, sizeof longest_wait);
    setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &longest_wait, sizeof longest_wait);
    if (tls_ == nullptr) return true;
    session_ = SSL_new(tls_);
    SSL_set_fd(session_, socket_);
    return SSL_accept(session_) == 1;
}

bool Peer::read_some() {
    std::array<char, 16 * 1024> buffer;
    const auto count = session_ != nullptr
                           ? SSL_read(session_, buffer.data(), static_cast<int>(buffer.size()))
                           : ::recv(socket_, buffer.data(), buffer.size(), 0);
    if (count <= 0) return false;
    const std::lock_guard lock(mutex_);
    received_.append(buffer.data(), static_cast<std::size_t>(count));
    return true;
}

bool Peer::read_head() {
    for (;;) {
        const auto end = received().find("\r\n\r\n", consumed_);
        if (end != std::string::npos) {
            consumed_ = end + 4;
            return true;
        }
        if (!read_some()) return false;
    }
}

bool Peer::read_request() {
    const auto start = consumed_;
    if (!read_head()) return false;
    const auto length = content_length(received().substr(start, consumed_ - start));
    while (received().size() < consumed_ + length)
        if (!read_some()) return false;
    consumed_ += length;
    return true;
}

bool Peer::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto count = session_ != nullptr
                               ? SSL_write(session_, bytes.data(), static_cast<int>(bytes.size()))
                               : ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

bool Peer::answer(std::string_view status_and_headers, std::string_view body) {
    return send("HTTP/1.1 " + std::string(status_and_headers) +
                "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body));
}

void Peer::wait_for_end() {
    while (read_some()) {
    }
}

bool Peer::idle(std::chrono::milliseconds time) {
    pollfd entry{.fd = socket_, .events = POLLRDHUP, .revents = 0};
    return ::poll(&entry, 1, static_cast<int>(time.count())) == 0;
}

void Peer::reset() {
    const linger at_once{1, 0};
    setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    const sockaddr unconnected{AF_UNSPEC, {}};
    if (::connect(socket_, &unconnected, sizeof unconnected) != 0) cut();  // ends a TCP connection by RST
}

void Peer::cut() { ::shutdown(socket_, SHUT_RDWR); }

std::string Peer::received() {
    const std::lock_guard lock(mutex_);
    return received_;
}

std::string Peer::offered_protocols() const {
    const void* offered = session_ != nullptr ? SSL_get_ex_data(session_, 0) : nullptr;
    return offered != nullptr ? *static_cast<const std::string*>(offered) : std::string();
}

ScriptedServer::ScriptedServer(Script script, SSL_CTX* tls)
    : script_(std::move(script)), tls_(tls), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in any{};
    any.sin_family =
        AF_INET;  // any address, so that 127.0.0.2 is served as well; the port is the kernel's choice
    socklen_t length = sizeof any;
    auto* address = reinterpret_cast<sockaddr*>(&any);
    if (::bind(listener_, address, length) != 0 || ::listen(listener_, 64) != 0)
        throw std::runtime_error("the test's server can't listen");
    ::getsockname(listener_, address, &length);
    port_ = ntohs(any.sin_port);
    acceptor_ = std::thread([this] { accept_connections(); });
}

ScriptedServer::~ScriptedServer() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    for (auto& peer : peers_) peer->cut();
    for (auto& script : scripts_) script.join();
    ::close(listener_);
}

void ScriptedServer::accept_connections() {
    for (;;) {
        const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (socket < 0) return;
        const std::lock_guard lock(mutex_);
        peers_.push_back(std::make_unique<Peer>(socket, tls_, peers_.size()));
        scripts_.emplace_back([this, peer = peers_.back().get()] {
            block_sigpipe();
            if (peer->handshake()) script_(*peer);
            peer->cut();
        });
    }
}

std::string ScriptedServer::url(std::string_view host) const {
    return std::string(tls_ != nullptr ? "https" : "http") + "://" + std::string(host) + ":" +
           std::to_string(port_) + "/hook";
}

std::size_t ScriptedServer::connections() {
    const std::lock_guard lock(mutex_);
    return peers_.size();
}

std::string ScriptedServer::received(std::size_t connection) {
    const std::lock_guard lock(mutex_);
    return connection < peers_.size() ? peers_[connection]->received() : std::string();
}

std::string ScriptedServer::offered_protocols(std::size_t connection) {
    const std::lock_guard lock(mutex_);
    return connection < peers_.size() ? peers_[connection]->offered_protocols() : std::string();
}

bool ScriptedServer::wait_for_bytes(std::string_view part, std::size_t connection) {
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (received(connection).find(part) == std::string::npos) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::yield();
    }
    return true;
}

void answer_all(Peer& peer) {
    while (peer.read_request())
        if (!peer.answer("200 OK")) return;
}

}  // namespace posthorn::egress::test
