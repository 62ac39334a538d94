#include "workers/completion.hpp"

#include <algorithm>
#include <spdlog/spdlog.h>

#include "base/crash_point.hpp"

namespace posthorn::workers {

using boost::asio::awaitable;

namespace {
constexpr std::size_t outcomes_a_flush = 500;
constexpr std::size_t outcomes_worth_a_flush = 250;
constexpr std::chrono::milliseconds longest_gathering{20};
constexpr std::chrono::milliseconds first_pause{50};
constexpr std::chrono::milliseconds longest_pause{1'000};
}  // namespace

Completion::Completion(boost::asio::any_io_executor executor, store::WorkerDatabase& database,
                       const Clock& clock, Callbacks callbacks)
    : executor_(executor),
      database_(database),
      clock_(clock),
      callbacks_(std::move(callbacks)),
      added_(executor) {}

void Completion::add(store::Outcome outcome, bool at_once) {
    queue_.push_back(std::move(outcome));
    at_once_ = at_once_ || at_once;
    if (at_once || queue_.size() == 1 || queue_.size() == outcomes_worth_a_flush) added_.set();
}

awaitable<void> Completion::run() {
    while (true) {
        if (queue_.empty()) {
            co_await added_.wait();
            continue;
        }
        co_await gather();
        auto batch = take_batch();
        in_flush_ = batch.size();
        const auto others = std::partition(batch.begin(), batch.end(), store::is_plain);
        std::vector<store::Outcome> rest(std::make_move_iterator(others),
                                         std::make_move_iterator(batch.end()));
        batch.erase(others, batch.end());
        if (!batch.empty()) co_await flush_plain(std::move(batch));
        if (!rest.empty()) co_await flush(std::move(rest));
        in_flush_ = 0;
    }
}

awaitable<void> Completion::gather() {
    const auto until = clock_.steady_now() + longest_gathering;
    while (!at_once_ && queue_.size() < outcomes_worth_a_flush)
        if (!co_await added_.wait(until)) break;
}

std::vector<store::Outcome> Completion::take_batch() {
    const auto count = static_cast<std::ptrdiff_t>(std::min(queue_.size(), outcomes_a_flush));
    std::vector<store::Outcome> batch(std::make_move_iterator(queue_.begin()),
                                      std::make_move_iterator(queue_.begin() + count));
    queue_.erase(queue_.begin(), queue_.begin() + count);
    if (queue_.empty()) at_once_ = false;
    return batch;
}

// The shorter way, once; whatever does not go through by it goes the other way.
awaitable<void> Completion::flush_plain(std::vector<store::Outcome> batch) {
    if (!session_) co_await connect();
    std::optional<std::vector<store::Completion>> completions;
    crash_point(CrashPoint::completion_before_commit);
    try {
        completions = co_await session_->complete_plain_deliveries(batch);
    } catch (const store::DatabaseError& error) {
        spdlog::warn("{} outcomes are written once more: {}", batch.size(), error.what());
        if (!session_->usable()) session_.reset();
    }
    if (!completions) {
        co_await flush(std::move(batch));
        co_return;
    }
    crash_point(CrashPoint::completion_committed);
    std::vector<store::Outcome> left;
    for (std::size_t i = 0; i < batch.size(); ++i) {
        if ((*completions)[i].applied) {
            callbacks_.committed(batch[i], (*completions)[i]);
        } else {
            batch[i].record.reset();  // it is logged
            left.push_back(std::move(batch[i]));
        }
    }
    crash_point(CrashPoint::completion_reported);
    if (!left.empty()) co_await flush(std::move(left));
}

awaitable<void> Completion::flush(std::vector<store::Outcome> batch) {
    if (co_await commit(batch)) co_return;
    if (batch.size() == 1) {
        co_await commit_alone(std::move(batch.front()));
        co_return;
    }
    // Something in it is refused: halves, until the bad one stands alone. One bad row never fails its
    // neighbours.
    const auto middle = batch.begin() + std::ssize(batch) / 2;
    std::vector<store::Outcome> second(std::make_move_iterator(middle), std::make_move_iterator(batch.end()));
    batch.erase(middle, batch.end());
    co_await flush(std::move(batch));
    co_await flush(std::move(second));
}

// False: the database refuses the batch for what is in it, or all of it takes too long. Anything else (a lost
// connection, a full disk, a lock) is waited out: an outcome that is given up means another request.
awaitable<bool> Completion::commit(std::vector<store::Outcome>& batch) {
    for (auto pause = first_pause;; pause = std::min(pause * 2, longest_pause)) {
        if (!session_) co_await connect();
        try {
            crash_point(CrashPoint::failures_before_commit);
            const auto completions = co_await session_->complete_deliveries(batch);
            crash_point(CrashPoint::failures_committed);
            report(batch, completions);
            co_return true;
        } catch (const store::DatabaseError& error) {
            if (!session_->usable()) session_.reset();
            if (error.blames_the_data()) {
                spdlog::error("the database refuses {} outcomes: {}", batch.size(), error.what());
                co_return false;
            }
            spdlog::warn("{} outcomes wait for the database: {}", batch.size(), error.what());
            if (error.is(store::sqlstate::query_canceled) && batch.size() > 1) co_return false;
        }
        co_await sleep_for(pause);
    }
}

awaitable<void> Completion::commit_alone(store::Outcome outcome) {
    if (outcome.record && !outcome.record->response.empty()) {
        outcome.record->response.clear();
        std::vector<store::Outcome> without_response{outcome};
        if (co_await commit(without_response)) co_return;
    }
    outcome.record.reset();
    std::vector<store::Outcome> without_record{outcome};
    if (co_await commit(without_record)) co_return;
    spdlog::error("the outcome of {} for {} can not be stored; it will be attempted again",
                  outcome.message.str(), outcome.endpoint.str());
    report(without_record, {store::Completion{}});
}

awaitable<void> Completion::connect() {
    for (auto pause = first_pause; !session_; pause = std::min(pause * 2, longest_pause)) {
        bool failed = false;
        try {
            session_ = co_await database_.open(executor_, store::SessionUse::completion);
        } catch (const store::DatabaseError&) {
            failed = true;
        }
        if (failed) co_await sleep_for(pause);
    }
    if (std::exchange(was_connected_, true)) callbacks_.connection_lost();
}

void Completion::report(const std::vector<store::Outcome>& batch,
                        const std::vector<store::Completion>& completions) {
    for (std::size_t i = 0; i < batch.size(); ++i) callbacks_.committed(batch[i], completions.at(i));
}

}  // namespace posthorn::workers
