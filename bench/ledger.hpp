#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace posthorn::bench {

// Nanoseconds of the monotonic clock, which both ends of a message share.
inline std::int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

// One message; a time of 0: not yet.
struct MessageRecord {
    std::int64_t due_ns = 0;                  // when its request was to start; the generator's
    std::int64_t accepted_ns = 0;             // when its 202 was read; the generator's
    std::atomic<std::int64_t> arrived_ns{0};  // the first time; the receiver's
    std::atomic<std::uint32_t> arrivals{0};   // the receiver's
};

// What happened to every message of a run of the bench, by number.
class Ledger {
public:
    explicit Ledger(std::size_t most_messages) : records_(most_messages) {}

    bool holds(std::uint64_t number) const { return number < records_.size(); }
    MessageRecord& operator[](std::uint64_t number) { return records_[number]; }
    const MessageRecord& operator[](std::uint64_t number) const { return records_[number]; }

    // The next number; used by the generator alone.
    std::uint64_t next() const { return next_; }
    std::uint64_t take() {
        if (!holds(next_)) throw std::length_error("more messages were sent than the ledger has room for");
        return next_++;
    }

private:
    std::vector<MessageRecord> records_;
    std::uint64_t next_ = 0;
};

}  // namespace posthorn::bench
