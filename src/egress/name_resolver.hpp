#pragma once
#include <ares.h>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/posix/descriptor_base.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.hpp"
#include "egress/lazy_timer.hpp"

namespace posthorn::egress {

// Of a name that has more, the first are taken: one attempt must not knock at thousands of doors.
inline constexpr std::size_t addresses_per_name_limit = 32;

// The addresses of a name, or none and the reason.
struct NameAnswer {
    std::vector<boost::asio::ip::address> addresses;
    std::string error;  // plain words; empty if there are addresses
};
using NameAnswerPtr = std::shared_ptr<const NameAnswer>;

// Names to addresses without blocking the loop: c-ares on Asio, /etc/hosts and "localhost" included. A name
// is taken as absolute: no search domains. Answers are kept for their TTL, 1 to 60 s, failures for 5 s;
// lookups of one name at the same time share one query. A lookup gives up after about 5 s a name server.
class NameResolver {
public:
    using Done = std::function<void(const NameAnswerPtr&)>;
    using LookupId = std::uint64_t;

    // name_servers as in ClientOptions. Throws std::runtime_error if c-ares refuses them.
    NameResolver(boost::asio::any_io_executor executor, const std::vector<std::string>& name_servers);
    ~NameResolver();
    NameResolver(const NameResolver&) = delete;
    NameResolver& operator=(const NameResolver&) = delete;

    NameAnswerPtr cached(const std::string& host) const;  // null if nothing is known

    // done is called once, never from inside look_up; not after forget, nor after the destructor.
    LookupId look_up(const std::string& host, Done done);
    bool forget(LookupId id);  // false if it was called already

    // Both of the above for a coroutine, which may be cancelled.
    boost::asio::awaitable<NameAnswerPtr> resolve(std::string host);

private:
    struct Socket;
    struct Query;
    struct Kept {
        NameAnswerPtr answer;
        SteadyTime until;
    };

    static void on_socket_state(void* self, ares_socket_t number, int readable, int writable) noexcept;
    static void on_answer(void* query, int status, int timeouts, ares_addrinfo* found) noexcept;
    void wait(const std::shared_ptr<Socket>& socket);
    void wait_for(const std::shared_ptr<Socket>& socket, boost::asio::posix::descriptor_base::wait_type event,
                  bool Socket::* waits);
    void settle();
    void keep(const std::string& host, const NameAnswerPtr& answer, std::chrono::seconds time_to_live);
    void answer_waiters(const std::string& host, const NameAnswerPtr& answer);

    boost::asio::any_io_executor executor_;
    ares_channeldata* channel_ = nullptr;
    LazyTimer timer_;
    std::unordered_map<ares_socket_t, std::shared_ptr<Socket>> sockets_;
    std::unordered_map<std::string, std::vector<LookupId>> queries_;  // under way, with who waits for them
    std::unordered_map<LookupId, Done> waiters_;
    std::unordered_map<std::string, Kept> kept_;
    LookupId last_id_ = 0;
    std::shared_ptr<const bool> alive_ =
        std::make_shared<const bool>(true);  // handlers may run after the destructor
};

}  // namespace posthorn::egress
