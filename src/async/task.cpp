#include "async/task.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/multiple_exceptions.hpp>
#include <boost/asio/post.hpp>

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
    : executor_(executor), signal_(std::make_shared<boost::asio::cancellation_signal>()) {
    auto ended = std::make_shared<std::promise<void>>();
    done_ = ended->get_future().share();
    // Spawned from the loop itself: the slot is connected on the thread that will emit.
    boost::asio::post(executor_, [executor, body = std::move(body), on_failure = std::move(on_failure), ended,
                                  signal = signal_] {
        boost::asio::co_spawn(executor, body(),
                              boost::asio::bind_cancellation_slot(
                                  signal->slot(), [on_failure, ended, signal](std::exception_ptr failure) {
                                      if (failure && !is_cancellation(failure)) on_failure(failure);
                                      ended->set_value();
                                  }));
    });
}

Task::~Task() { stop(); }

void Task::stop() {
    boost::asio::post(executor_,
                      [signal = signal_] { signal->emit(boost::asio::cancellation_type::terminal); });
    done_.wait();
}

}  // namespace posthorn
