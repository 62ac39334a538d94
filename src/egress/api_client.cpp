#include "egress/api_client.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <curl/curl.h>
#include <fmt/format.h>

namespace posthorn::egress {

namespace {
struct FreeHandle {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

CURL* open_handle() {
    static const CURLcode library = curl_global_init(CURL_GLOBAL_DEFAULT);
    CURL* handle = library == CURLE_OK ? curl_easy_init() : nullptr;
    if (handle == nullptr) throw std::runtime_error("libcurl can not be started");
    return handle;
}

void append_line(HeaderList& list, const std::string& line) {
    const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7F; };
    if (std::any_of(line.begin(), line.end(), is_control))
        throw std::invalid_argument("a header field must not hold control characters");
    curl_slist* longer = curl_slist_append(list.get(), line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    static_cast<void>(list.release());
    list.reset(longer);
}

std::string lower_case(std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return lower;
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

struct Answer {
    ApiAnswer received;
    std::size_t limit_bytes;
    bool too_large = false;
};

std::size_t take_body(const char* bytes, std::size_t size, std::size_t count, void* user) {
    auto& answer = *static_cast<Answer*>(user);
    if (answer.received.body.size() + size * count > answer.limit_bytes) {
        answer.too_large = true;
        return 0;
    }
    answer.received.body.append(bytes, size * count);
    return size * count;
}

std::size_t take_header(const char* bytes, std::size_t size, std::size_t count, void* user) {
    auto& fields = static_cast<Answer*>(user)->received.fields;
    const std::string_view line(bytes, size * count);
    if (line.starts_with("HTTP/")) fields.clear();  // after 100 Continue
    if (const auto colon = line.find(':'); colon != std::string_view::npos && !line.starts_with("HTTP/"))
        fields.emplace_back(lower_case(line.substr(0, colon)), trimmed(line.substr(colon + 1)));
    return size * count;
}
}  // namespace

struct ApiClient::Impl {
    Options options;
    std::unique_ptr<CURL, FreeHandle> handle{open_handle()};
    std::array<char, CURL_ERROR_SIZE> reason{};

    template <class Value>
    void set(CURLoption option, Value value) {
        if (curl_easy_setopt(handle.get(), option, value) != CURLE_OK)
            throw std::runtime_error("libcurl refuses an option");
    }

    HeaderList headers_for(bool has_body, const Fields& fields) const {
        HeaderList list;
        append_line(list, "Accept: application/json");
        append_line(list, "Expect:");
        if (has_body) append_line(list, "Content-Type: application/json");
        if (!options.token.empty()) append_line(list, "Authorization: Bearer " + options.token.reveal());
        for (const auto& [name, value] : fields) append_line(list, fmt::format("{}: {}", name, value));
        return list;
    }

    void prepare(std::string_view method, const std::string& path, std::string_view body) {
        curl_easy_reset(handle.get());  // connections stay
        set(CURLOPT_URL, (options.server + path).c_str());
        set(CURLOPT_PROTOCOLS_STR, "http,https");
        set(CURLOPT_PROXY, "");
        set(CURLOPT_FOLLOWLOCATION, 0L);
        set(CURLOPT_NOSIGNAL, 1L);
        set(CURLOPT_PATH_AS_IS, 1L);
        set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
        set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count()));
        set(CURLOPT_TIMEOUT_MS, static_cast<long>(options.timeout.count()));
        set(CURLOPT_ERRORBUFFER, reason.data());
        if (method == "HEAD") {
            set(CURLOPT_NOBODY, 1L);
            return;
        }
        if (method != "GET" || !body.empty()) {
            set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
            set(CURLOPT_POSTFIELDS, body.data() == nullptr ? "" : body.data());
        }
        set(CURLOPT_CUSTOMREQUEST, std::string(method).c_str());
    }

    [[noreturn]] void report(CURLcode code, const Answer& answer) const {
        if (answer.too_large)
            throw ApiUnreachable(
                fmt::format("{} answered with more than {} bytes", options.server, answer.limit_bytes),
                false);
        const std::string why = reason[0] != '\0' ? reason.data() : curl_easy_strerror(code);
        throw ApiUnreachable(fmt::format("{} does not answer: {}", options.server, why),
                             code == CURLE_COULDNT_CONNECT);
    }
};

ApiClient::ApiClient(Options options) : impl_(std::make_unique<Impl>()) {
    impl_->options = std::move(options);
    while (impl_->options.server.ends_with('/')) impl_->options.server.pop_back();
}
ApiClient::~ApiClient() = default;
ApiClient::ApiClient(ApiClient&&) noexcept = default;

const std::string& ApiClient::server() const { return impl_->options.server; }
void ApiClient::set_token(Secret token) { impl_->options.token = std::move(token); }

ApiAnswer ApiClient::call(std::string_view method, const std::string& path, std::string_view body,
                          const Fields& fields) {
    const auto headers = impl_->headers_for(!body.empty(), fields);
    Answer answer{{}, impl_->options.answer_limit_bytes};
    impl_->reason[0] = '\0';
    impl_->prepare(method, path, body);
    impl_->set(CURLOPT_HTTPHEADER, headers.get());
    impl_->set(CURLOPT_WRITEFUNCTION, &take_body);
    impl_->set(CURLOPT_WRITEDATA, &answer);
    impl_->set(CURLOPT_HEADERFUNCTION, &take_header);
    impl_->set(CURLOPT_HEADERDATA, &answer);
    if (const auto code = curl_easy_perform(impl_->handle.get()); code != CURLE_OK)
        impl_->report(code, answer);
    long status = 0;
    curl_easy_getinfo(impl_->handle.get(), CURLINFO_RESPONSE_CODE, &status);
    answer.received.status = static_cast<int>(status);
    return std::move(answer.received);
}

}  // namespace posthorn::egress
