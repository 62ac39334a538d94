#include "support/test_client.hpp"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace posthorn::http::test {
namespace {

[[noreturn]] void throw_errno(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

void set_option(int socket, int level, int name, const auto& value) {
    if (::setsockopt(socket, level, name, &value, sizeof value) != 0) throw_errno("setsockopt");
}

}  // namespace

std::string Answer::field(std::string_view name) const {
    for (const auto& [key, value] : fields)
        if (key == name) return value;
    return {};
}

TestClient::TestClient(std::uint16_t port, std::chrono::seconds patience)
    : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    if (socket_ < 0) throw_errno("socket");
    const timeval timeout{.tv_sec = patience.count(), .tv_usec = 0};
    set_option(socket_, SOL_SOCKET, SO_RCVTIMEO, timeout);
    set_option(socket_, SOL_SOCKET, SO_SNDTIMEO, timeout);
    set_option(socket_, IPPROTO_TCP, TCP_NODELAY, 1);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw_errno("connect");
}

TestClient::~TestClient() {
    if (socket_ >= 0) ::close(socket_);
}

void TestClient::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0) throw_errno("send");
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

void TestClient::send_byte_by_byte(std::string_view bytes) {
    for (const char byte : bytes) send({&byte, 1});
}

void TestClient::finish_sending() { ::shutdown(socket_, SHUT_WR); }

bool TestClient::receives_within(std::chrono::milliseconds time) {
    pollfd entry{.fd = socket_, .events = POLLIN, .revents = 0};
    return !received_.empty() || ::poll(&entry, 1, static_cast<int>(time.count())) == 1;
}

bool TestClient::receive_more() {
    std::array<char, 16384> bytes;
    const auto count = ::recv(socket_, bytes.data(), bytes.size(), 0);
    if (count < 0) throw_errno("recv");
    received_.append(bytes.data(), static_cast<std::size_t>(count));
    return count > 0;
}

std::string TestClient::receive_line() {
    while (received_.find("\r\n") == std::string::npos)
        if (!receive_more()) throw std::runtime_error("the server closed before an answer");
    const auto end = received_.find("\r\n");
    auto line = received_.substr(0, end);
    received_.erase(0, end + 2);
    return line;
}

Answer TestClient::receive(Body body) {
    Answer answer;
    const auto status_line = receive_line();
    if (!status_line.starts_with("HTTP/1.1 ")) throw std::runtime_error("no status line: " + status_line);
    answer.status = std::stoi(status_line.substr(9, 3));
    for (auto line = receive_line(); !line.empty(); line = receive_line()) {
        const auto colon = line.find(": ");
        answer.fields.emplace_back(line.substr(0, colon), line.substr(colon + 2));
    }
    const auto length = answer.field("Content-Length");
    const std::size_t size = body == Body::none || length.empty() ? 0 : std::stoul(length);
    while (received_.size() < size)
        if (!receive_more()) throw std::runtime_error("the server closed within a body");
    answer.body = received_.substr(0, size);
    received_.erase(0, size);
    return answer;
}

Answer TestClient::exchange(std::string_view request) {
    send(request);
    return receive();
}

bool TestClient::is_closed() {
    if (!received_.empty()) return false;
    try {
        return !receive_more();
    } catch (const std::system_error& error) {
        return error.code() == std::errc::connection_reset;
    }
}

std::string get(std::string_view target, std::string_view more_fields) {
    return "GET " + std::string(target) + " HTTP/1.1\r\nHost: test\r\n" + std::string(more_fields) + "\r\n";
}

std::string post(std::string_view target, std::string_view body, std::string_view more_fields) {
    return "POST " + std::string(target) +
           " HTTP/1.1\r\nHost: test\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
           std::string(more_fields) + "\r\n" + std::string(body);
}

}  // namespace posthorn::http::test
