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

// Who is to get a message: endpoints with numbers in a row.
struct Destination {
    std::uint32_t first_endpoint = 0;
    std::uint32_t endpoints = 1;
    bool expected = true;  // that it arrives; not at an endpoint that takes nothing
};

// One delivery; a time of 0: not yet. What is not atomic is written before the message is sent, so before
// the receiver can look for it.
struct DeliveryRecord {
    std::int64_t due_ns = 0;                  // when the message's request was to start
    std::int64_t accepted_ns = 0;             // when its 202 was read
    Destination destination;                  // of the message whose number this is
    std::atomic<std::int64_t> arrived_ns{0};  // the first time; the receiver's
    std::atomic<std::uint32_t> arrivals{0};   // the receiver's
};

// What happened to every delivery of a scenario. A message has the number of its first delivery; the
// deliveries to its other endpoints have the numbers that follow.
class Ledger {
public:
    explicit Ledger(std::size_t most_deliveries) : records_(most_deliveries) {}

    bool holds(std::uint64_t number) const { return number < records_.size(); }
    DeliveryRecord& operator[](std::uint64_t number) { return records_[number]; }
    const DeliveryRecord& operator[](std::uint64_t number) const { return records_[number]; }

    // The next message's number; used by one thread.
    std::uint64_t next() const { return next_; }
    std::uint64_t take(const Destination& destination, std::int64_t due_ns) {
        const auto number = next_;
        if (!holds(number + destination.endpoints - 1))
            throw std::length_error("more messages were sent than the ledger has room for");
        next_ += destination.endpoints;
        for (auto each = number; each < next_; ++each) {
            records_[each].due_ns = due_ns;
            records_[each].destination.expected = destination.expected;
        }
        records_[number].destination = destination;
        return number;
    }

private:
    std::vector<DeliveryRecord> records_;
    std::uint64_t next_ = 0;
};

}  // namespace posthorn::bench
