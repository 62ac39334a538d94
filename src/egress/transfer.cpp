#include "egress/transfer.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cstring>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>
#include <utility>
#include <variant>

#include "base/crash_point.hpp"
#include "egress/outcome.hpp"

namespace posthorn::egress {

namespace asio = boost::asio;

namespace {

constexpr long receive_buffer_bytes = 16'384;
constexpr int sendings_limit = 2;

// In every request. A name without a value takes curl's own line out; Content-Type is the caller's affair.
curl_slist* constant_headers() {
    static char lines[][16] = {"Expect:", "Accept:", "Content-Type:"};
    static curl_slist nodes[] = {{lines[0], &nodes[1]}, {lines[1], &nodes[2]}, {lines[2], nullptr}};
    return nodes;
}

bool is_header_name(std::string_view name) {  // RFC 9110, 5.6.2: token
    constexpr std::string_view others = "!#$%&'*+-.^_`|~";
    return !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               others.find(c) != std::string_view::npos;
    });
}

bool is_header_value(std::string_view value) {
    return value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

bool is_same_name(std::string_view name, std::string_view lowercase) {
    return std::equal(name.begin(), name.end(), lowercase.begin(), lowercase.end(), [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
    });
}

std::optional<asio::ip::address> address_of(const curl_sockaddr& peer) {
    if (peer.family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, &peer.addr, sizeof v4);
        return asio::ip::address_v4(ntohl(v4.sin_addr.s_addr));
    }
    if (peer.family != AF_INET6) return std::nullopt;
    // curl_sockaddr's addr is declared as a sockaddr, but is as long as addrlen says.
    sockaddr_in6 v6{};
    if (peer.addrlen < sizeof v6) return std::nullopt;
    std::memcpy(&v6, static_cast<const void*>(&peer.addr), sizeof v6);
    asio::ip::address_v6::bytes_type bytes;
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    return asio::ip::address_v6(bytes);
}

}  // namespace

Transfer::Transfer(const ClientOptions& options, const AddressGuard& guard, CurlLoop& loop)
    : options_(options), guard_(guard), handle_(curl_easy_init()) {
    if (handle_ == nullptr) throw std::runtime_error("libcurl: no easy handle");
    try {
        set_constant_options();
        loop.adopt(handle_);
    } catch (...) {
        curl_easy_cleanup(handle_);
        throw;
    }
}

Transfer::~Transfer() { curl_easy_cleanup(handle_); }

void Transfer::set_constant_options() {
    const auto set = [this](CURLoption option, auto value) {
        check(curl_easy_setopt(handle_, option, value));
    };
    set(CURLOPT_PRIVATE, this);
    set(CURLOPT_ERRORBUFFER, error_.data());
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_NOPROGRESS, 1L);
    set(CURLOPT_POST, 1L);
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_PROXY, "");  // or the environment's would be taken
    set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    set(CURLOPT_USERAGENT, options_.user_agent.c_str());
    set(CURLOPT_BUFFERSIZE, receive_buffer_bytes);
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    set(CURLOPT_CAINFO, options_.ca_file.c_str());
    // While a directory is set too, curl reads the bundle anew for each connection: 28 ms of CPU, not 0.65.
    set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    // Entries are set as permanent and taken out by name (NamePins); pruning by age would walk all of them at
    // every end.
    set(CURLOPT_DNS_CACHE_TIMEOUT, -1L);
    set(CURLOPT_RESOLVER_START_FUNCTION, &Transfer::on_lookup);
    set(CURLOPT_RESOLVER_START_DATA, this);
    set(CURLOPT_OPENSOCKETFUNCTION, &Transfer::on_open_socket);
    set(CURLOPT_OPENSOCKETDATA, this);
    set(CURLOPT_PREREQFUNCTION, &Transfer::on_before_sending);
    set(CURLOPT_PREREQDATA, this);
    set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
    set(CURLOPT_HEADERDATA, this);
    set(CURLOPT_WRITEFUNCTION, &Transfer::on_body);
    set(CURLOPT_WRITEDATA, this);
}

bool Transfer::take(Request request) {
    request_ = std::move(request);
    answer_ = {};
    header_bytes_ = body_bytes_ = 0;
    headers_complete_ = in_transfer_encoding_ = sending_forbidden_ = refused_at_open_ = pinned = false;
    sendings_ = 0;
    stop_ = Stop::none;
    error_[0] = '\0';
    if (!request_.parsed_url && !parse_url()) return false;
    if (add_headers()) return true;
    refusal_ = "a header's name or value has characters that are not allowed";
    return false;
}

bool Transfer::parse_url() {
    auto parsed = domain::parse_endpoint_url(request_.url);
    if (const auto* error = std::get_if<domain::UrlError>(&parsed)) {
        refusal_ = error->rule;
        return false;
    }
    request_.parsed_url =
        std::make_shared<const domain::EndpointUrl>(std::get<domain::EndpointUrl>(std::move(parsed)));
    return true;
}

bool Transfer::add_headers() {
    headers_.clear();
    for (const auto& [name, value] : request_.headers) {
        if (!is_header_name(name) || !is_header_value(value)) return false;
        if (trimmed(value).empty())
            headers_.add({name, ";"});  // curl's spelling of a header with an empty value
        else
            headers_.add({name, ": ", value});
    }
    return true;
}

void Transfer::prepare(const std::vector<asio::ip::address>& addresses, std::vector<std::string> stale_pins,
                       std::chrono::milliseconds connect_timeout) {
    const auto set = [this](CURLoption option, auto value) {
        check(curl_easy_setopt(handle_, option, value));
    };
    if (url_set_ != url().text) {
        url_set_ = url().text;
        set(CURLOPT_URL, url_set_.c_str());
    }
    static const std::string nothing;
    const auto& body = request_.body ? *request_.body : nothing;
    set(CURLOPT_POSTFIELDS, body.c_str());  // not copied; request_ keeps it
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    set(CURLOPT_HTTPHEADER, headers_.link(constant_headers()));
    const bool offer_http2 = request_.http2 && url().https;
    set(CURLOPT_HTTP_VERSION,
        static_cast<long>(offer_http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    // The client watches this limit itself, without one of curl's timers for each request. curl needs to know
    // it only to give each of several addresses its share.
    set(CURLOPT_CONNECTTIMEOUT_MS, addresses.size() > 1 ? static_cast<long>(connect_timeout.count()) : 0L);
    stale_pins_ = std::move(stale_pins);
    set_names(addresses);
}

void Transfer::set_names(const std::vector<asio::ip::address>& addresses) {
    names_.clear();
    for (const auto& name : stale_pins_) names_.add({"-", name});
    if (!addresses.empty()) {
        std::string entry = pin_name();
        for (std::size_t i = 0; i < addresses.size(); ++i) {
            const bool v6 = addresses[i].is_v6();
            entry += i == 0 ? ":" : ",";
            entry += (v6 ? "[" : "") + addresses[i].to_string() + (v6 ? "]" : "");
        }
        names_.add({entry});
    }
    check(curl_easy_setopt(handle_, CURLOPT_RESOLVE, names_.link(nullptr)));
}

void Transfer::drop() {
    request_ = {};
    handler.reset();
    stage = Stage::idle;
    id = 0;
}

std::string Transfer::pin_name() const { return url().host + ":" + std::to_string(url().port); }

// curl's count of the body is of bytes that the kernel took (TLS: whose records it took), except over HTTP/2,
// where they may wait inside curl; and for a second sending it begins with the first one's.
bool Transfer::is_last_byte_sent() const {
    if (!is_first_byte_sent()) return false;
    curl_off_t body_sent = 0;
    curl_easy_getinfo(handle_, CURLINFO_SIZE_UPLOAD_T, &body_sent);
    const auto size = request_.body ? request_.body->size() : 0;
    if (static_cast<std::size_t>(body_sent) != size) return false;
    if (header_bytes_ > 0) return true;
    return size > 0 && sendings_ == 1 && !request_.http2;
}

// A net below the pins: curl is about to look a name up itself, blocking the loop. An address is none of
// that.
int Transfer::on_lookup(void*, void*, void* argument) noexcept {
    return static_cast<Transfer*>(argument)->url().literal ? 0 : 1;
}

curl_socket_t Transfer::on_open_socket(void* argument, curlsocktype, curl_sockaddr* peer) noexcept {
    auto& self = *static_cast<Transfer*>(argument);
    const auto address = address_of(*peer);
    if (!address || !self.guard_.allows(*address)) {
        self.refused_at_open_ = true;
        return CURL_SOCKET_BAD;
    }
    return ::socket(peer->family, peer->socktype | SOCK_CLOEXEC, peer->protocol);
}

// Called when the connection, new or reused, is ready: all that follows is the request.
int Transfer::on_before_sending(void* argument, char* peer, char*, int, int) noexcept {
    auto& self = *static_cast<Transfer*>(argument);
    self.stop_ = self.before_sending(peer);
    if (self.stop_ != Stop::none) return CURL_PREREQFUNC_ABORT;
    ++self.sendings_;
    crash_point(CrashPoint::request_before_first_byte);
    return CURL_PREREQFUNC_OK;
}

Transfer::Stop Transfer::before_sending(std::string_view peer) {
    boost::system::error_code error;
    const auto address = asio::ip::make_address(peer, error);
    if (error || !guard_.allows(address)) return Stop::address_refused;
    // curl sends again if a reused connection ended without a byte of an answer, up to five times.
    if (sendings_ >= sendings_limit) return Stop::sent_twice;
    if (sending_forbidden_) return Stop::sending_forbidden;
    if (request_.may_start && !request_.may_start()) return Stop::sending_forbidden;
    return Stop::none;
}

std::size_t Transfer::on_header(char* bytes, std::size_t size, std::size_t count, void* argument) noexcept {
    auto& self = *static_cast<Transfer*>(argument);
    const std::string_view line(bytes, size * count);
    crash_point(CrashPoint::response_begun);
    self.header_bytes_ += line.size();
    if (self.header_bytes_ > self.options_.response_header_limit_bytes) {
        self.stop_ = Stop::header_limit;
        return 0;
    }
    if (self.asks_to_unpack(line)) {
        self.stop_ = Stop::encoding;
        return 0;
    }
    self.read_header(line);
    return line.size();
}

// libcurl unpacks what a Transfer-Encoding says, although we never offer to take any: a few hundred bytes,
// packed several times, would keep the loop busy for minutes without a byte that on_body could count.
bool Transfer::asks_to_unpack(std::string_view line) {
    const bool is_folded = line.starts_with(' ') || line.starts_with('\t');  // RFC 9112, 5.2
    const auto colon = is_folded ? 0 : line.find(':');
    if (!is_folded) in_transfer_encoding_ = is_same_name(trimmed(line.substr(0, colon)), "transfer-encoding");
    if (!in_transfer_encoding_ || colon == std::string_view::npos) return false;
    const auto value = trimmed(line.substr(is_folded ? 0 : colon + 1));
    return !value.empty() && !is_same_name(value, "chunked");
}

void Transfer::read_header(std::string_view line) {
    if (headers_complete_) return;  // trailers
    if (line.starts_with("HTTP/")) {
        answer_.retry_after.clear();  // of an answer 1xx before this one
        answer_.webhook_delivery.clear();
        return;
    }
    if (trimmed(line).empty()) {
        long status = 0;
        curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
        headers_complete_ = status >= 200;
        return;
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return;
    const auto name = line.substr(0, colon);
    auto keep = [&](std::string& into) {
        if (into.empty()) into = trimmed(line.substr(colon + 1));
    };
    if (is_same_name(name, "retry-after")) keep(answer_.retry_after);
    if (is_same_name(name, "webhook-delivery")) keep(answer_.webhook_delivery);
}

std::size_t Transfer::on_body(char* bytes, std::size_t size, std::size_t count, void* argument) noexcept {
    auto& self = *static_cast<Transfer*>(argument);
    const std::size_t length = size * count;
    const auto room = self.options_.response_keep_limit_bytes - self.answer_.body.size();
    self.answer_.body.append(bytes, std::min(room, length));
    self.body_bytes_ += length;
    if (self.body_bytes_ <= self.options_.response_read_limit_bytes) return length;
    self.stop_ = Stop::read_limit;
    return 0;
}

Ending Transfer::ending(CURLcode code) const {
    switch (stop_) {
        case Stop::none:
            break;
        case Stop::address_refused:
            return {Failure::address_refused, "the connection's address is not allowed"};
        case Stop::sending_forbidden:
            if (is_first_byte_sent())
                return {Failure::aborted, "the connection ended and the request may not be sent again"};
            return {Failure::not_started, "the request may not start any more"};
        case Stop::sent_twice:
            return {Failure::protocol, "the connection ended twice without an answer"};
        case Stop::header_limit:
            return {Failure::protocol, "the answer's headers exceed " +
                                           std::to_string(options_.response_header_limit_bytes) + " bytes"};
        case Stop::encoding:
            return {Failure::protocol, "the answer has a Transfer-Encoding other than chunked"};
        case Stop::read_limit:
            return {Failure::none, "the answer's body was not read to its end"};
    }
    if (code == CURLE_OK && headers_complete_) return {};
    if (code == CURLE_OK) return {Failure::protocol, "no final answer"};
    if (code == CURLE_FILESIZE_EXCEEDED)
        return {Failure::protocol, "the answer with all that it is wrapped in exceeds " +
                                       std::to_string(options_.receive_limit_bytes) + " bytes"};
    if (code == CURLE_COULDNT_CONNECT && refused_at_open_)
        return {Failure::address_refused, "the connection's address is not allowed"};
    return {failure_of(code), error_[0] != '\0' ? error_.data() : curl_easy_strerror(code)};
}

Result Transfer::result(Ending ending) {
    Result result = std::move(answer_);
    long status = 0;
    long connections_made = 0;
    if (is_first_byte_sent()) {
        curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(handle_, CURLINFO_NUM_CONNECTS, &connections_made);
    }
    result.failure = ending.failure;
    result.status = headers_complete_ ? static_cast<int>(status) : 0;
    result.detail = std::move(ending.detail);
    result.first_byte_sent = is_first_byte_sent();
    result.connection_reused = is_first_byte_sent() && connections_made == 0;
    result.duration =
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - started);
    return result;
}

}  // namespace posthorn::egress
