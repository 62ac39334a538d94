#include "cli/hand_over.hpp"

#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

#include "base/crash_point.hpp"

namespace posthorn::cli {

namespace asio = boost::asio;

namespace {
constexpr std::chrono::milliseconds retry_pause{500};
}  // namespace

HandOver::HandOver(asio::any_io_executor executor, store::WorkerDatabase& database,
                   std::vector<workers::WorkerLoop*> loops, const workers::ShardMap& map)
    : executor_(executor),
      database_(database),
      loops_(std::move(loops)),
      map_(map),
      foreign_event_(executor) {}

// Every loop hears of the batch: whose shards it will touch is not known before its commit.
void HandOver::announce(std::uint64_t batch, std::span<const MessageId> messages) {
    const std::vector<MessageId> copy(messages.begin(), messages.end());
    for (auto* loop : loops_)
        asio::post(loop->executor(), [loop, batch, copy] { loop->announce(batch, copy); });
}

void HandOver::committed(std::uint64_t batch, std::vector<ingest::HandedDelivery> deliveries) {
    std::vector<std::vector<workers::HandedDelivery>> of_loop(loops_.size());
    std::vector<std::pair<int, EndpointId>> foreign;
    for (auto& given : deliveries) {
        const int loop = map_.loop_of(given.shard);
        if (loop < 0) {
            foreign.emplace_back(given.shard, given.endpoint);
            continue;
        }
        workers::HandedDelivery handed;
        handed.shard = given.shard;
        handed.from_table = given.from_table;
        handed.delivery.application = given.application;
        handed.delivery.endpoint = given.endpoint;
        handed.delivery.message = given.message;
        handed.delivery.run_id = given.run_id;
        handed.delivery.place = given.place;
        handed.delivery.payload = std::move(given.payload);
        handed.delivery.extras = std::move(given.extras);
        of_loop[static_cast<std::size_t>(loop)].push_back(std::move(handed));
    }
    for (std::size_t i = 0; i < loops_.size(); ++i)
        asio::post(
            loops_[i]->executor(), [this, loop = loops_[i], batch, part = std::move(of_loop[i])]() mutable {
                auto not_ours = loop->hand_off(batch, std::move(part));
                crash_point(CrashPoint::hand_off_absorbed);
                if (not_ours.empty()) return;
                asio::post(executor_,
                           [this, targets = std::move(not_ours)]() mutable { notify(std::move(targets)); });
            });
    if (!foreign.empty()) notify(std::move(foreign));
}

void HandOver::failed(std::uint64_t batch, bool unknown) {
    for (auto* loop : loops_)
        asio::post(loop->executor(), [loop, batch, unknown] { loop->abandon(batch, unknown); });
}

void HandOver::notify(std::vector<std::pair<int, EndpointId>> targets) {
    foreign_.insert(targets.begin(), targets.end());
    foreign_event_.set();
}

asio::awaitable<void> HandOver::run() {
    std::unique_ptr<store::WorkerSession> session;
    while (true) {
        if (foreign_.empty()) {
            co_await foreign_event_.wait();
            continue;
        }
        const std::vector<std::pair<int, EndpointId>> targets(foreign_.begin(), foreign_.end());
        foreign_.clear();
        bool failed = false;
        try {
            if (!session || !session->usable())
                session = co_await database_.open(executor_, store::SessionUse::notify);
            crash_point(CrashPoint::wake_up_before_sending);
            co_await session->notify_shards(targets);
            crash_point(CrashPoint::wake_up_sent);
        } catch (const store::DatabaseError& error) {
            spdlog::warn("wake-ups wait for the database: {}", error.what());
            failed = true;
        }
        if (!failed) continue;
        foreign_.insert(targets.begin(), targets.end());
        co_await sleep_for(retry_pause);
    }
}

}  // namespace posthorn::cli
