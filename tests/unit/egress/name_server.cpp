#include "name_server.hpp"

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

void append_u16(std::string& out, unsigned value) {
    out += static_cast<char>(value >> 8);
    out += static_cast<char>(value & 0xff);
}

}  // namespace

NameServer::NameServer() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in local{};
    local.sin_family = AF_INET;
    local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof local;
    auto* address = reinterpret_cast<sockaddr*>(&local);
    if (::bind(socket_, address, length) != 0) throw std::runtime_error("the test's name server can't bind");
    ::getsockname(socket_, address, &length);
    port_ = ntohs(local.sin_port);
    thread_ = std::thread([this] { serve(); });
}

NameServer::~NameServer() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
}

void NameServer::set(const std::string& name, std::vector<std::string> addresses,
                     std::uint32_t time_to_live) {
    const std::lock_guard lock(mutex_);
    entries_[name] = {false, std::move(addresses), time_to_live};
}

void NameServer::set_silent(const std::string& name) {
    const std::lock_guard lock(mutex_);
    entries_[name] = {true, {}, 0};
}

void NameServer::serve() {
    std::array<char, 1500> buffer;
    for (;;) {
        sockaddr_in from{};
        socklen_t length = sizeof from;
        auto* address = reinterpret_cast<sockaddr*>(&from);
        const auto count = ::recvfrom(socket_, buffer.data(), buffer.size(), 0, address, &length);
        if (count <= 0) return;
        const auto answer = answer_to(std::string(buffer.data(), static_cast<std::size_t>(count)));
        if (!answer.empty()) ::sendto(socket_, answer.data(), answer.size(), 0, address, length);
    }
}

// RFC 1035, 4.1: header, the question as it came, then one record for each address.
std::string NameServer::answer_to(const std::string& query) {
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
    if (found != entries_.end() && found->second.silent) return {};
    std::vector<std::string> addresses;
    if (found != entries_.end() && wants_v4) addresses = found->second.addresses;
    std::string answer = query.substr(0, 2);
    append_u16(answer,
               found == entries_.end() ? 0x8183 : 0x8180);  // response, recursion; NXDOMAIN or no error
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
