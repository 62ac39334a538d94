#include "async/task.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/multiple_exceptions.hpp>
#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

namespace posthorn {

namespace {
bool is_cancellation(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const boost::asio::multiple_exceptions& several) {  // parts joined by &&, cancelled together
        return is_cancellation(several.first_exception());
    } catch (const boost::system::system_error& error) {
        return error.code() == boost::asio::error::operation_aborted;
    } catch (...) {
        return false;
    }
}
}  // namespace

Task::Task(boost::asio::any_io_executor executor, std::function<boost::asio::awaitable<void>()> body,
           std::function<void(std::exception_ptr)> on_failure)
    : executor_(executor), stopping_(std::make_shared<Stopping>()) {
    auto ended = std::make_shared<std::promise<void>>();
    done_ = ended->get_future().share();
    // Spawned from the loop itself: the slot is connected on the thread that will emit.
    boost::asio::post(executor_, [executor, body = std::move(body), on_failure = std::move(on_failure), ended,
                                  stopping = stopping_] {
        auto at_end = [on_failure, ended, stopping](std::exception_ptr failure) {
            // Where one part of several fails the others are cancelled: that alone is no stop.
            if (failure && !(stopping->requested && is_cancellation(failure))) on_failure(failure);
            ended->set_value();
        };
        boost::asio::co_spawn(
            executor, body(),
            boost::asio::bind_cancellation_slot(stopping->signal.slot(), std::move(at_end)));
    });
}

Task::~Task() { stop(); }

void Task::stop() {
    boost::asio::post(executor_, [stopping = stopping_] {
        stopping->requested = true;
        stopping->signal.emit(boost::asio::cancellation_type::terminal);
    });
    done_.wait();
}

boost::asio::awaitable<void> part_of_task(std::string name, boost::asio::awaitable<void> part) {
    try {
        co_await std::move(part);
    } catch (const std::exception& failure) {
        if (!is_cancellation(std::current_exception()))
            spdlog::critical("{} failed: {}", name, failure.what());
        throw;
    }
}

}  // namespace posthorn
