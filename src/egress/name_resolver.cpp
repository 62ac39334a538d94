#include "egress/name_resolver.hpp"

#include <algorithm>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>
#include <netinet/in.h>
#include <stdexcept>
#include <utility>

namespace posthorn::egress {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kept_names_limit = 10'000;
constexpr std::chrono::seconds shortest_kept = 1s;
constexpr std::chrono::seconds longest_kept = 60s;
constexpr std::chrono::seconds failure_kept = 5s;
constexpr std::chrono::milliseconds first_try_timeout = 1'500ms;  // c-ares doubles it for the second try
constexpr int tries = 2;

ares_channeldata* open_channel(ares_sock_state_cb on_socket_state, void* self) {
    static const int library = ares_library_init(ARES_LIB_INIT_ALL);
    if (library != ARES_SUCCESS) throw std::runtime_error("c-ares: " + std::string(ares_strerror(library)));
    ares_options options{};
    options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
    options.ndomains = 0;
    options.timeout = static_cast<int>(first_try_timeout.count());
    options.tries = tries;
    char files_then_dns[] = "fb";
    options.lookups = files_then_dns;
    options.sock_state_cb = on_socket_state;
    options.sock_state_cb_data = self;
    int mask = ARES_OPT_FLAGS | ARES_OPT_DOMAINS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
               ARES_OPT_SOCK_STATE_CB;
#ifdef ARES_OPT_QUERY_CACHE
    // Newer versions keep answers themselves, longer than we do.
    options.qcache_max_ttl = 0;
    mask |= ARES_OPT_QUERY_CACHE;
#endif
    ares_channeldata* channel = nullptr;
    const int status = ares_init_options(&channel, &options, mask);
    if (status != ARES_SUCCESS) throw std::runtime_error("c-ares: " + std::string(ares_strerror(status)));
    return channel;
}

void use_name_servers(ares_channeldata* channel, const std::vector<std::string>& name_servers) {
    if (name_servers.empty()) return;
    std::string list;
    for (const auto& server : name_servers) list += (list.empty() ? "" : ",") + server;
    const int status = ares_set_servers_ports_csv(channel, list.c_str());
    if (status == ARES_SUCCESS) return;
    throw std::runtime_error("name servers \"" + list + "\": " + ares_strerror(status));
}

std::vector<asio::ip::address> addresses_of(const ares_addrinfo& found) {
    std::vector<asio::ip::address> addresses;
    for (const auto* node = found.nodes; node != nullptr; node = node->ai_next) {
        if (addresses.size() == addresses_per_name_limit) break;
        if (node->ai_family == AF_INET) {
            sockaddr_in v4{};
            std::memcpy(&v4, node->ai_addr, sizeof v4);
            addresses.emplace_back(asio::ip::address_v4(ntohl(v4.sin_addr.s_addr)));
        } else if (node->ai_family == AF_INET6) {
            sockaddr_in6 v6{};
            std::memcpy(&v6, node->ai_addr, sizeof v6);
            asio::ip::address_v6::bytes_type bytes;
            std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
            addresses.emplace_back(asio::ip::address_v6(bytes));
        }
    }
    return addresses;
}

std::chrono::seconds time_to_live(const ares_addrinfo& found) {
    auto least = longest_kept;
    for (const auto* node = found.nodes; node != nullptr; node = node->ai_next)
        least = std::min(least, std::chrono::seconds(node->ai_ttl));
    for (const auto* alias = found.cnames; alias != nullptr; alias = alias->next)
        least = std::min(least, std::chrono::seconds(alias->ttl));
    return std::max(least, shortest_kept);
}

}  // namespace

// A socket of c-ares, which closes it; we only watch it.
struct NameResolver::Socket {
    Socket(const asio::any_io_executor& executor, ares_socket_t of) : descriptor(executor, of), number(of) {}

    asio::posix::stream_descriptor descriptor;
    ares_socket_t number;
    bool wants_read = false, wants_write = false;
    bool waits_read = false, waits_write = false;
    bool released = false;
};

// Lives from ares_getaddrinfo to its answer, which c-ares gives in any case.
struct NameResolver::Query {
    NameResolver* resolver;
    std::string host;
};

NameResolver::NameResolver(asio::any_io_executor executor, const std::vector<std::string>& name_servers)
    : executor_(std::move(executor)),
      channel_(open_channel(&NameResolver::on_socket_state, this)),
      timer_(executor_, [this] {
          ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
          settle();
      }) {
    try {
        use_name_servers(channel_, name_servers);
    } catch (...) {
        ares_destroy(channel_);
        throw;
    }
}

NameResolver::~NameResolver() {
    alive_.reset();
    waiters_.clear();
    ares_destroy(channel_);
}

NameAnswerPtr NameResolver::cached(const std::string& host) const {
    const auto found = kept_.find(host);
    if (found == kept_.end() || std::chrono::steady_clock::now() >= found->second.until) return nullptr;
    return found->second.answer;
}

NameResolver::LookupId NameResolver::look_up(const std::string& host, Done done) {
    const LookupId id = ++last_id_;
    waiters_.emplace(id, std::move(done));
    if (auto known = cached(host)) {
        queries_[host].push_back(id);
        answer_waiters(host, known);
        return id;
    }
    auto& waiting = queries_[host];
    waiting.push_back(id);
    if (waiting.size() > 1) return id;

    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = ARES_AI_NOSORT;
    auto query = std::make_unique<Query>(Query{this, host});
    ares_getaddrinfo(channel_, host.c_str(), nullptr, &hints, &NameResolver::on_answer, query.release());
    for (const auto& [number, socket] : sockets_) wait(socket);  // those left open by an earlier query
    settle();
    return id;
}

bool NameResolver::forget(LookupId id) {
    if (waiters_.erase(id) == 0) return false;
    if (waiters_.empty() && !queries_.empty()) {
        ares_cancel(channel_);
        settle();
    }
    return true;
}

asio::awaitable<NameAnswerPtr> NameResolver::resolve(std::string host) {
    if (auto known = cached(host)) co_return known;
    auto initiate = [this](auto handler, const std::string& name) {
        auto slot = asio::get_associated_cancellation_slot(handler);
        const auto waiting = std::make_shared<decltype(handler)>(std::move(handler));
        const auto id = look_up(name, [waiting](const NameAnswerPtr& answer) {
            std::move (*waiting)(boost::system::error_code(), answer);
        });
        if (!slot.is_connected()) return;
        slot.assign([this, id, alive = std::weak_ptr(alive_), weak = std::weak_ptr(waiting)](auto) {
            const auto held = weak.lock();
            if (!held || alive.expired() || !forget(id)) return;
            asio::post(executor_, [held] { std::move (*held)(asio::error::operation_aborted, nullptr); });
        });
    };
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>,
                                            void(boost::system::error_code, NameAnswerPtr)>(
        initiate, asio::use_awaitable, std::move(host));
}

void NameResolver::on_answer(void* argument, int status, int, ares_addrinfo* found) noexcept {
    const std::unique_ptr<Query> query(static_cast<Query*>(argument));
    auto& self = *query->resolver;
    if (status == ARES_EDESTRUCTION) return;
    if (status == ARES_ECANCELLED) {
        self.queries_.erase(query->host);
        return;
    }
    auto answer = std::make_shared<NameAnswer>();
    auto kept_for = failure_kept;
    if (status == ARES_SUCCESS) {
        answer->addresses = addresses_of(*found);
        kept_for = time_to_live(*found);
        ares_freeaddrinfo(found);
    }
    if (answer->addresses.empty()) {
        answer->error = ares_strerror(status == ARES_SUCCESS ? ARES_ENODATA : status);
        kept_for = failure_kept;
    }
    self.keep(query->host, answer, kept_for);
    self.answer_waiters(query->host, answer);
}

void NameResolver::keep(const std::string& host, const NameAnswerPtr& answer, std::chrono::seconds kept_for) {
    const auto now = std::chrono::steady_clock::now();
    if (kept_.size() >= kept_names_limit) {
        std::erase_if(kept_, [now](const auto& entry) { return entry.second.until <= now; });
        if (kept_.size() >= kept_names_limit) kept_.clear();
    }
    kept_[host] = Kept{answer, now + kept_for};
}

// Posted, since c-ares calls from its inside, and at times from inside look_up.
void NameResolver::answer_waiters(const std::string& host, const NameAnswerPtr& answer) {
    auto query = queries_.extract(host);
    if (query.empty()) return;
    asio::post(executor_, [this, alive = std::weak_ptr(alive_), ids = std::move(query.mapped()), answer] {
        for (const auto id : ids) {
            if (alive.expired()) return;
            auto waiter = waiters_.extract(id);
            if (!waiter.empty()) waiter.mapped()(answer);
        }
    });
}

void NameResolver::on_socket_state(void* argument, ares_socket_t number, int readable,
                                   int writable) noexcept {
    auto& self = *static_cast<NameResolver*>(argument);
    auto found = self.sockets_.find(number);
    if (readable == 0 && writable == 0) {
        if (found == self.sockets_.end()) return;
        found->second->released = true;
        found->second->descriptor.release();
        self.sockets_.erase(found);
        return;
    }
    if (found == self.sockets_.end())
        found = self.sockets_.emplace(number, std::make_shared<Socket>(self.executor_, number)).first;
    found->second->wants_read = readable != 0;
    found->second->wants_write = writable != 0;
    self.wait(found->second);
}

// Only while something is asked: c-ares may keep its sockets open, which would keep the loop at work.
void NameResolver::wait(const std::shared_ptr<Socket>& socket) {
    if (queries_.empty()) return;
    if (socket->wants_read && !socket->waits_read)
        wait_for(socket, asio::posix::descriptor_base::wait_read, &Socket::waits_read);
    if (socket->wants_write && !socket->waits_write)
        wait_for(socket, asio::posix::descriptor_base::wait_write, &Socket::waits_write);
}

void NameResolver::wait_for(const std::shared_ptr<Socket>& socket,
                            asio::posix::descriptor_base::wait_type event, bool Socket::* waits) {
    (*socket).*waits = true;
    const bool read = event == asio::posix::descriptor_base::wait_read;
    socket->descriptor.async_wait(
        event, [this, alive = std::weak_ptr(alive_), socket, waits, read](boost::system::error_code error) {
            (*socket).*waits = false;
            if (alive.expired() || socket->released) return;
            if (error && error != asio::error::operation_aborted) return;
            if (!error) {
                ares_process_fd(channel_, read ? socket->number : ARES_SOCKET_BAD,
                                read ? ARES_SOCKET_BAD : socket->number);
                settle();
            }
            if (!socket->released) wait(socket);
        });
}

// After every call into c-ares: its next timeout, or nothing to wait for.
void NameResolver::settle() {
    if (queries_.empty()) {
        timer_.stop();
        for (const auto& [number, socket] : sockets_) socket->descriptor.cancel();
        return;
    }
    timeval left{};
    if (ares_timeout(channel_, nullptr, &left) == nullptr) return timer_.clear();
    timer_.set(std::chrono::steady_clock::now() + std::chrono::seconds(left.tv_sec) +
               std::chrono::microseconds(left.tv_usec));
}

}  // namespace posthorn::egress
