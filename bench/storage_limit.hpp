#pragma once
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/uuid.hpp"
#include "bench/database.hpp"
#include "bench/event.hpp"

namespace posthorn::bench {

// What PostgreSQL allows on this machine: the least that must be done in SQL for a message, and nothing else.
// One connection inserts batches of messages and fans them out into deliveries, as ingest does; another
// deletes deliveries and logs their attempts, as completion does, at the same time. No idempotency, no
// fencing, no retries, no HTTP. In a database of its own on the service's server; the plans are made as the
// service makes those of its hot path.
class StorageLimit {
public:
    static constexpr std::size_t batch_messages = 500;

    StorageLimit(const Database& database, std::uint32_t endpoints, std::size_t payload_bytes);

    // Messages a second that went through both.
    double measure(std::chrono::seconds duration);

private:
    struct Batch {
        std::vector<Uuid> applications, endpoints, messages;
        std::vector<std::int64_t> runs;
    };

    void make_endpoints(std::uint32_t count);
    void accept(std::chrono::steady_clock::time_point deadline);
    Batch accept_batch(Event& event);
    std::uint64_t complete();
    void complete_batch(const Batch& batch);
    void put(Batch batch);
    std::optional<Batch> take();

    static constexpr std::size_t most_waiting = 8;  // batches

    Session ingest_, completion_;
    std::size_t payload_bytes_;
    std::vector<Uuid> applications_;
    std::size_t next_ = 0;
    UuidV7Generator message_ids_, attempt_ids_;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Batch> waiting_;
    bool ended_ = false;   // no batch comes after those that wait
    bool broken_ = false;  // nobody takes batches any more
};

}  // namespace posthorn::bench
