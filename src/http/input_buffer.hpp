#pragma once
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>
#include <string_view>

namespace posthorn::http {

// Bytes received and not yet parsed. Grows, up to its limit, when a read filled it: clients that pipeline or
// send large bodies then cost fewer reads, all others keep the small first size.
class InputBuffer {
public:
    explicit InputBuffer(std::size_t limit_bytes)
        : limit_(limit_bytes), data_(std::make_unique_for_overwrite<char[]>(capacity_)) {}

    bool empty() const { return begin_ == end_; }
    std::string_view unread() const { return {data_.get() + begin_, end_ - begin_}; }
    void consume(std::size_t count) { begin_ += count; }
    void clear() { begin_ = end_; }

    // Room to read into, at least one byte. Throws std::length_error when the limit is reached and nothing
    // was consumed: the parser refuses earlier.
    std::span<char> prepare() {
        if (empty()) begin_ = end_ = 0;
        if (was_filled_ && capacity_ < limit_)
            move_to(std::min(capacity_ * 2, limit_));
        else if (end_ == capacity_)
            move_to(capacity_);
        if (end_ == capacity_) throw std::length_error("the input buffer is full");
        return {data_.get() + end_, capacity_ - end_};
    }
    void commit(std::size_t count) {
        end_ += count;
        was_filled_ = end_ == capacity_;
    }

private:
    void move_to(std::size_t capacity) {
        const auto rest = unread();
        if (capacity == capacity_) {
            std::memmove(data_.get(), rest.data(), rest.size());
        } else {
            auto larger = std::make_unique_for_overwrite<char[]>(capacity);
            std::memcpy(larger.get(), rest.data(), rest.size());
            data_ = std::move(larger);
            capacity_ = capacity;
        }
        begin_ = 0;
        end_ = rest.size();
        was_filled_ = false;
    }

    std::size_t capacity_ = 4096;
    std::size_t limit_;
    std::unique_ptr<char[]> data_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    bool was_filled_ = false;
};

}  // namespace posthorn::http
