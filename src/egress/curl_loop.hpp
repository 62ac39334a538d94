#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <curl/curl.h>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "egress/lazy_timer.hpp"

namespace posthorn::egress {

// libcurl's multi interface on an Asio loop. curl's sockets are in an epoll set of their own, which is one
// descriptor in Asio: several events cost one wake-up, and a socket that curl lets go of between two requests
// stays registered until it is closed or speaks up unasked. While no transfer is under way nothing is left on
// the executor.
class CurlLoop {
public:
    using Ended = std::function<void(CURL*, CURLcode)>;  // called outside of curl; must remove the handle

    // connections: idle and busy ones kept, on all handles together. A transfer that receives more than
    // receive_limit_bytes, all that its connection brings in, ends with CURLE_FILESIZE_EXCEEDED: libcurl
    // shows some bytes to no callback (a chunk's extensions, empty TLS records).
    CurlLoop(boost::asio::any_io_executor executor, std::size_t connections,
             std::uint64_t receive_limit_bytes, Ended ended);
    ~CurlLoop();
    CurlLoop(const CurlLoop&) = delete;
    CurlLoop& operator=(const CurlLoop&) = delete;

    void adopt(
        CURL* handle);  // once for each handle, before its first add: its sockets are closed through us
    void add(CURL* handle);
    void remove(CURL* handle);
    // As remove, but nothing more can be sent on its socket, not even what curl or the TLS library hold in a
    // buffer.
    void cut(CURL* handle);

private:
    struct SocketState {
        std::uint32_t registered = 0;                  // events in the epoll set; 0: not in it
        std::uint32_t wanted = 0;                      // events curl waits for now
        CURL* user = nullptr;                          // who wants them
        std::uint32_t events_taken = 0;                // for this user
        std::optional<std::uint64_t> received_before;  // bytes, when it was first looked at
    };

    static int on_socket(CURL* handle, curl_socket_t number, int what, void* self, void*) noexcept;
    static int on_timer(CURLM*, long milliseconds, void* self) noexcept;
    static int on_close(void* self, curl_socket_t number) noexcept;
    void watch(curl_socket_t number, std::uint32_t events);
    void wait();
    void take_events();
    void act(curl_socket_t number, int events);
    bool receives_too_much(curl_socket_t number);
    void act_on_time();
    void report_ended();

    boost::asio::any_io_executor executor_;
    CURLM* multi_;
    boost::asio::posix::stream_descriptor epoll_;
    LazyTimer timer_;
    const std::uint64_t receive_limit_bytes_;
    Ended ended_;
    std::vector<SocketState> sockets_;  // by descriptor
    std::vector<std::pair<CURL*, CURLcode>> just_ended_;
    std::size_t added_ = 0;
    bool waiting_ = false;
    bool kicked_ = false;  // a call of act_on_time is posted
    std::shared_ptr<const bool> alive_ =
        std::make_shared<const bool>(true);  // handlers may run after the destructor
};

// Throws std::runtime_error: an option that this libcurl doesn't know, or no memory.
void check(CURLcode code);
void check(CURLMcode code);

}  // namespace posthorn::egress
