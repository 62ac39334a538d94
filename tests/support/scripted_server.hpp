#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <openssl/ssl.h>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace posthorn::egress::test {

// One accepted connection, for a script on a thread of its own: blocking, each wait bounded. A connection
// that ended answers false or nothing, so that scripts just run out.
class Peer {
public:
    Peer(int socket, SSL_CTX* tls, std::size_t number) : socket_(socket), tls_(tls), number_(number) {}
    ~Peer();
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    std::size_t number() const { return number_; }  // 0 for the server's first connection
    bool handshake();                               // done by the server before the script; true without TLS
    bool read_request();                            // head and Content-Length's body
    bool read_head();
    bool read_some();
    bool send(std::string_view bytes);
    bool answer(std::string_view status_and_headers, std::string_view body = "");
    void wait_for_end();  // until the client closes; what it sends still counts as received
    // Without reading: false as soon as the client has closed.
    bool idle(std::chrono::milliseconds time);
    void reset();  // ends with RST
    void cut();    // from another thread: ends what the script waits for

    std::string received();                 // all bytes (of the application) so far
    std::string offered_protocols() const;  // of ALPN, as on the wire

private:
    int socket_;
    SSL_CTX* tls_;
    std::size_t number_;
    SSL* session_ = nullptr;
    std::mutex mutex_;
    std::string received_;
    std::size_t consumed_ = 0;
};

// A TCP server on loopback that plays a script on each connection.
class ScriptedServer {
public:
    using Script = std::function<void(Peer&)>;

    explicit ScriptedServer(Script script, SSL_CTX* tls = nullptr);
    ~ScriptedServer();

    std::uint16_t port() const { return port_; }
    std::string url(std::string_view host = "127.0.0.1") const;
    std::size_t connections();
    std::string received(std::size_t connection = 0);
    std::string offered_protocols(std::size_t connection = 0);
    bool wait_for_bytes(std::string_view part, std::size_t connection = 0);  // false after 10 s

private:
    void accept_connections();

    Script script_;
    SSL_CTX* tls_;
    int listener_;
    std::uint16_t port_ = 0;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Peer>> peers_;
    std::vector<std::thread> scripts_;
    std::thread acceptor_;
};

// Answers each request of a connection, kept alive, with 200 and no body.
void answer_all(Peer& peer);

}  // namespace posthorn::egress::test
