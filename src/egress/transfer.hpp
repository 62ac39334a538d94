#pragma once
#include <array>
#include <boost/asio/any_completion_handler.hpp>
#include <cstdint>
#include <curl/curl.h>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "domain/endpoint_url.hpp"
#include "egress/client.hpp"
#include "egress/curl_loop.hpp"
#include "egress/line_list.hpp"
#include "egress/name_resolver.hpp"

namespace posthorn::egress {

// How a request ended, before it is a Result.
struct Ending {
    Failure failure = Failure::none;
    std::string detail;
};

// One request on one of curl's easy handles; both are used again for the next request. Its own work is what
// happens inside curl: the options, the guard, may_start, reading the answer. When it starts and ends is the
// client's affair.
class Transfer {
public:
    enum class Stage : std::uint8_t { idle, resolving, under_way };
    using Handler = boost::asio::any_completion_handler<void(boost::system::error_code, Result)>;

    Transfer(const ClientOptions& options, const AddressGuard& guard, CurlLoop& loop);
    ~Transfer();
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;

    // Takes a request over from its start. False: it can't be sent as it is (see refusal).
    bool take(Request request);
    // Sets what curl needs; addresses as resolved and vetted, empty if the URL's host is one. stale_pins
    // leave curl's cache of names.
    void prepare(const std::vector<boost::asio::ip::address>& addresses, std::vector<std::string> stale_pins,
                 std::chrono::milliseconds connect_timeout);
    // For the pool.
    void drop();

    CURL* handle() const { return handle_; }
    const Request& request() const { return request_; }
    const domain::EndpointUrl& url() const { return *request_.parsed_url; }
    std::string pin_name() const;  // "host:port"
    const std::string& refusal() const { return refusal_; }
    std::vector<std::string> take_stale_pins() { return std::move(stale_pins_); }

    // curl came to the point where it sends: from then on bytes may have gone out.
    bool is_first_byte_sent() const { return sendings_ > 0; }
    bool is_last_byte_sent() const;
    void forbid_sending() { sending_forbidden_ = true; }

    Ending ending(CURLcode code) const;
    Result result(Ending ending);

    // The client's part.
    Stage stage = Stage::idle;
    std::uint64_t id = 0;
    std::size_t position = 0;  // among the live ones
    SteadyTime started, deadline;
    std::multimap<SteadyTime, Transfer*>::iterator alarm;
    NameResolver::LookupId lookup = 0;
    bool pinned = false;
    std::optional<Handler> handler;  // emplaced: Boost 1.81's move assignment recurses for ever

private:
    // Why a callback made curl give up.
    enum class Stop : std::uint8_t {
        none,
        address_refused,
        sending_forbidden,
        sent_twice,
        header_limit,
        encoding,
        read_limit
    };

    bool parse_url();
    static curl_socket_t on_open_socket(void* self, curlsocktype purpose, curl_sockaddr* address) noexcept;
    static int on_lookup(void*, void*, void* self) noexcept;
    static int on_before_sending(void* self, char* peer, char* local, int peer_port, int local_port) noexcept;
    static std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* self) noexcept;
    static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self) noexcept;

    void set_constant_options();
    bool add_headers();
    void set_names(const std::vector<boost::asio::ip::address>& addresses);
    Stop before_sending(std::string_view peer);
    bool asks_to_unpack(std::string_view line);
    void read_header(std::string_view line);

    const ClientOptions& options_;
    const AddressGuard& guard_;
    CURL* handle_;
    Request request_;
    std::string refusal_;
    std::string url_set_;  // what the handle's URL is already
    LineList headers_;
    LineList names_;
    std::vector<std::string> stale_pins_;
    std::array<char, CURL_ERROR_SIZE> error_{};

    Result answer_;
    std::size_t header_bytes_ = 0;
    std::size_t body_bytes_ = 0;
    bool headers_complete_ = false;
    bool in_transfer_encoding_ = false;  // the header line before this one
    int sendings_ = 0;
    bool sending_forbidden_ = false;
    bool refused_at_open_ = false;
    Stop stop_ = Stop::none;
};

}  // namespace posthorn::egress
