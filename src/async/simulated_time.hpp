#pragma once
#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution_context.hpp>
#include <map>
#include <optional>
#include <unordered_map>

#include "base/clock.hpp"

namespace posthorn {

// The time of an execution context that a simulation moves: a service of the context. Timers made for its
// executors wait here, and not on the machine's clock. One thread.
class SimulatedTime : public boost::asio::execution_context::service {
public:
    using Wake = boost::asio::any_completion_handler<void(boost::system::error_code)>;
    static inline boost::asio::execution_context::id
        id;  // NOLINT(readability-identifier-naming): Asio's name

    explicit SimulatedTime(boost::asio::execution_context& context) : service(context) {}

    // The clock that tells the time, and the context's executor; before anything waits.
    void follow(const Clock& clock, boost::asio::any_io_executor executor) {
        clock_ = &clock;
        executor_ = std::move(executor);
    }
    SteadyTime now() const { return clock_->steady_now(); }
    // When the first wait ends, if any does.
    std::optional<SteadyTime> next() const;
    void wake_due();

    // Of a timer: one wait at a time. Ends with operation_aborted at cancel_wait or at the coroutine's
    // cancellation.
    void wait(const void* timer, SteadyTime until, Wake wake);
    void cancel_wait(const void* timer);

private:
    void shutdown() override;
    void complete(Wake wake, boost::system::error_code error);

    const Clock* clock_ = nullptr;
    boost::asio::any_io_executor executor_;
    std::uint64_t last_number_ = 0;
    using Place = std::pair<SteadyTime, std::uint64_t>;
    struct Waiting {
        const void* timer;
        Wake wake;
    };
    std::map<Place, Waiting> waits_;
    std::unordered_map<const void*, Place> places_;
};

}  // namespace posthorn
