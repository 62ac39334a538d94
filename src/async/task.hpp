#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>

namespace posthorn {

// A long-lived coroutine on some loop, held from another thread: started by its construction, ended by
// stop(), never left alone.
class Task {
public:
    // An exception that ends the coroutine before it was asked to stop, or another than its cancellation, is
    // given to `on_failure`, on the loop's thread.
    Task(boost::asio::any_io_executor executor, std::function<boost::asio::awaitable<void>()> body,
         std::function<void(std::exception_ptr)> on_failure);
    ~Task();  // stop()
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;

    void stop();  // cancels and waits for the end
    bool wait_for(std::chrono::milliseconds limit) {
        return done_.wait_for(limit) == std::future_status::ready;
    }

private:
    struct Stopping {  // of the loop's thread
        boost::asio::cancellation_signal signal;
        bool requested = false;
    };

    boost::asio::any_io_executor executor_;
    std::shared_ptr<Stopping> stopping_;
    std::shared_future<void> done_;
};

// One of several parts that a task joins by &&. When one fails the others are cancelled, and the exceptions
// that come out of && need not tell which it was: this logs it, and passes it on.
boost::asio::awaitable<void> part_of_task(std::string name, boost::asio::awaitable<void> part);

// Runs a coroutine on a loop from another thread and waits for its result; its exception is thrown here.
template <class T>
T run_on(boost::asio::any_io_executor executor, boost::asio::awaitable<T> work);

}  // namespace posthorn

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

template <class T>
T posthorn::run_on(boost::asio::any_io_executor executor, boost::asio::awaitable<T> work) {
    return boost::asio::co_spawn(executor, std::move(work), boost::asio::use_future).get();
}
