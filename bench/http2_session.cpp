#include "bench/http2_session.hpp"

#include <array>
#include <fmt/format.h>
#include <nghttp2/nghttp2.h>
#include <stdexcept>

namespace posthorn::bench {

namespace {
constexpr std::uint32_t most_streams = 256;

void require(bool good, const char* what, std::int64_t error) {
    if (!good)
        throw std::runtime_error(fmt::format("{}: {}", what, nghttp2_strerror(static_cast<int>(error))));
}

std::string_view text(const std::uint8_t* bytes, std::size_t size) {
    return {reinterpret_cast<const char*>(bytes), size};
}
}  // namespace

// nghttp2 is C: none of these may throw but for want of memory.
struct Http2Session::Callbacks {
    static Http2Session& self(void* data) { return *static_cast<Http2Session*>(data); }

    static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                         std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                         std::uint8_t, void* data) {
        auto& request = self(data).requests_[frame->hd.stream_id];
        const auto field = text(name, name_size);
        if (field == ":path")
            request.path = text(value, value_size);
        else
            request.fields += fmt::format("{}: {}\r\n", field, text(value, value_size));
        return 0;
    }

    static int on_data(nghttp2_session*, std::uint8_t, std::int32_t stream, const std::uint8_t* bytes,
                       std::size_t size, void* data) {
        self(data).requests_[stream].body += text(bytes, size);
        return 0;
    }

    static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* data) {
        const bool may_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
        if (may_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
            self(data).answer(frame->hd.stream_id);
        return 0;
    }

    static int on_close(nghttp2_session*, std::int32_t stream, std::uint32_t, void* data) {
        self(data).requests_.erase(stream);
        return 0;
    }
};

Http2Session::Http2Session(Answer answer) : answer_(std::move(answer)) {
    nghttp2_session_callbacks* callbacks = nullptr;
    require(nghttp2_session_callbacks_new(&callbacks) == 0, "nghttp2_session_callbacks_new",
            NGHTTP2_ERR_NOMEM);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::on_close);
    const int made = nghttp2_session_server_new(&session_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    require(made == 0, "nghttp2_session_server_new", made);
    const nghttp2_settings_entry streams{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, most_streams};
    const int told = nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, &streams, 1);
    require(told == 0, "nghttp2_submit_settings", told);
}

Http2Session::~Http2Session() { nghttp2_session_del(session_); }

std::string Http2Session::receive(std::string_view bytes) {
    const auto taken =
        nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    require(taken >= 0, "nghttp2_session_mem_recv", taken);
    std::string to_send;
    while (true) {
        const std::uint8_t* piece = nullptr;
        const auto size = nghttp2_session_mem_send(session_, &piece);
        require(size >= 0, "nghttp2_session_mem_send", size);
        if (size == 0) return to_send;
        to_send += text(piece, static_cast<std::size_t>(size));
    }
}

void Http2Session::answer(std::int32_t stream) {
    const auto& request = requests_[stream];
    const auto head = fmt::format("POST {} HTTP/2\r\n{}", request.path, request.fields);
    HttpFrame frame;
    frame.head = head;
    frame.body = request.body;
    auto status = std::to_string(answer_(frame));
    std::string name = ":status";
    nghttp2_nv field{reinterpret_cast<std::uint8_t*>(name.data()),
                     reinterpret_cast<std::uint8_t*>(status.data()), name.size(), status.size(),
                     NGHTTP2_NV_FLAG_NONE};
    nghttp2_submit_response(session_, stream, &field, 1, nullptr);
}

}  // namespace posthorn::bench
