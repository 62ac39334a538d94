#include "support/name_server.hpp"

#include <arpa/inet.h>
#include <array>
#include <cstring>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace posthorn::egress::test {

namespace {

constexpr std::size_t header_bytes = 12;
constexpr char type_a = 1;
constexpr std::size_t longest_by_udp_bytes = 512;
constexpr std::size_t longest_by_tcp_bytes = 65'535;
constexpr unsigned truncated = 0x0200;
constexpr timeval tcp_wait{1, 0};

void append_u16(std::string& out, unsigned value) {
    out += static_cast<char>(value >> 8);
    out += static_cast<char>(value & 0xff);
}

}  // namespace

// The port that is free for UDP may be another's for TCP: then the next one is tried.
NameServer::NameServer() {
    for (int tries = 0; !bind_both(); ++tries)
        if (tries == 100) throw std::runtime_error("the test's name server finds no port");
    thread_ = std::thread([this] { serve(); });
    tcp_thread_ = std::thread([this] { serve_by_tcp(); });
}

bool NameServer::bind_both() {
    sockaddr_in local{};
    local.sin_family = AF_INET;
    local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof local;
    auto* address = reinterpret_cast<sockaddr*>(&local);
    socket_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(socket_, address, length) == 0 && ::getsockname(socket_, address, &length) == 0 &&
        ::bind(listener_, address, length) == 0 && ::listen(listener_, 16) == 0) {
        port_ = ntohs(local.sin_port);
        return true;
    }
    ::close(socket_);
    ::close(listener_);
    return false;
}

NameServer::~NameServer() {
    ::shutdown(socket_, SHUT_RDWR);
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    tcp_thread_.join();
    ::close(socket_);
    ::close(listener_);
}

void NameServer::set(const std::string& name, std::vector<std::string> addresses,
                     std::uint32_t time_to_live) {
    const std::lock_guard lock(mutex_);
    entries_[name] = {Kind::known, std::move(addresses), time_to_live};
}

void NameServer::set_silent(const std::string& name) {
    const std::lock_guard lock(mutex_);
    entries_[name] = {Kind::silent, {}, 0};
}

void NameServer::set_failing(const std::string& name) {
    const std::lock_guard lock(mutex_);
    entries_[name] = {Kind::failing, {}, 0};
}

void NameServer::forget(const std::string& name) {
    const std::lock_guard lock(mutex_);
    entries_.erase(name);
}

void NameServer::serve() {
    std::array<char, 1500> buffer;
    for (;;) {
        sockaddr_in from{};
        socklen_t length = sizeof from;
        auto* address = reinterpret_cast<sockaddr*>(&from);
        const auto count = ::recvfrom(socket_, buffer.data(), buffer.size(), 0, address, &length);
        if (count <= 0) return;
        const auto answer =
            answer_to(std::string(buffer.data(), static_cast<std::size_t>(count)), longest_by_udp_bytes);
        if (!answer.empty()) ::sendto(socket_, answer.data(), answer.size(), 0, address, length);
    }
}

// RFC 1035, 4.2.2: two bytes of length, then as by UDP. One query a connection is enough here.
void NameServer::serve_by_tcp() {
    for (;;) {
        const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (client < 0) return;
        setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &tcp_wait, sizeof tcp_wait);
        std::array<char, 1500> buffer;
        const auto count = ::recv(client, buffer.data(), buffer.size(), 0);
        if (count > 2) {
            const auto answer = answer_to(std::string(buffer.data() + 2, static_cast<std::size_t>(count) - 2),
                                          longest_by_tcp_bytes);
            std::string framed;
            append_u16(framed, static_cast<unsigned>(answer.size()));
            framed += answer;
            if (!answer.empty()) ::send(client, framed.data(), framed.size(), MSG_NOSIGNAL);
        }
        ::close(client);
    }
}

// RFC 1035, 4.1: header, the question as it came, then one record for each address.
std::string NameServer::answer_to(const std::string& query, std::size_t longest_bytes) {
    if (query.size() < header_bytes + 5) return {};
    std::string name;
    std::size_t at = header_bytes;
    while (at < query.size() && query[at] != 0) {
        const auto label = static_cast<std::size_t>(query[at]);
        name += (name.empty() ? "" : ".") + query.substr(at + 1, label);
        at += label + 1;
    }
    const auto question_end = at + 5;
    if (question_end > query.size()) return {};
    const bool wants_v4 = query[at + 2] == type_a;
    if (wants_v4) ++queries_;

    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);
    if (found != entries_.end() && found->second.kind == Kind::silent) return {};
    std::vector<std::string> addresses;
    if (found != entries_.end() && wants_v4) addresses = found->second.addresses;
    constexpr std::size_t record_bytes = 16;
    const bool fits = question_end + addresses.size() * record_bytes <= longest_bytes;
    if (!fits) addresses.clear();
    unsigned flags = 0x8180;  // response, recursion
    if (found == entries_.end()) flags |= 3;
    if (found != entries_.end() && found->second.kind == Kind::failing) flags |= 2;
    std::string answer = query.substr(0, 2);
    append_u16(answer, flags | (fits ? 0 : truncated));
    append_u16(answer, 1);
    append_u16(answer, static_cast<unsigned>(addresses.size()));
    append_u16(answer, 0);
    append_u16(answer, 0);
    answer += query.substr(header_bytes, question_end - header_bytes);
    for (const auto& address : addresses) {
        append_u16(answer, 0xc000 | header_bytes);  // the question's name
        append_u16(answer, 1);
        append_u16(answer, 1);
        append_u16(answer, found->second.time_to_live >> 16);
        append_u16(answer, found->second.time_to_live & 0xffff);
        append_u16(answer, 4);
        in_addr binary{};
        inet_pton(AF_INET, address.c_str(), &binary);
        answer.append(reinterpret_cast<const char*>(&binary.s_addr), 4);
    }
    return answer;
}

}  // namespace posthorn::egress::test
