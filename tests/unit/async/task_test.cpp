#include "async/task.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "async/event.hpp"
#include "async/loop.hpp"
#include "support/catch.hpp"

using namespace posthorn;
using boost::asio::awaitable;

namespace {
awaitable<void> wait_for_ever() {
    Event never(co_await boost::asio::this_coro::executor);
    co_await never.wait();
}
}  // namespace

TEST_CASE("a stopped task has ended, and its cancellation is no failure") {
    Loop loop("test");
    std::atomic<int> failures{0};
    const auto count = [&](std::exception_ptr) { ++failures; };
    {
        Task alone(loop.executor(), wait_for_ever, count);
        Task joined(
            loop.executor(),
            []() -> awaitable<void> {
                using namespace boost::asio::experimental::awaitable_operators;
                co_await (wait_for_ever() && wait_for_ever());
            },
            count);
        CHECK_FALSE(alone.wait_for(std::chrono::milliseconds(10)));
    }
    CHECK(failures == 0);
}

TEST_CASE("a task that throws reports it once") {
    Loop loop("test");
    std::atomic<int> failures{0};
    Task failing(
        loop.executor(),
        []() -> awaitable<void> {
            throw std::runtime_error("broken");
            co_return;
        },
        [&](std::exception_ptr) { ++failures; });
    CHECK(failing.wait_for(std::chrono::seconds(10)));
    CHECK(failures == 1);
}

TEST_CASE("a task whose parts were cancelled because one of them failed has failed") {
    Loop loop("test");
    for (const bool first : {true, false}) {
        std::atomic<int> failures{0};
        Task joined(
            loop.executor(),
            [first]() -> awaitable<void> {
                using namespace boost::asio::experimental::awaitable_operators;
                const auto fail = []() -> awaitable<void> {
                    throw std::runtime_error("broken");
                    co_return;
                };
                if (first)
                    co_await (part_of_task("a", fail()) && part_of_task("b", wait_for_ever()));
                else
                    co_await (part_of_task("a", wait_for_ever()) && part_of_task("b", fail()));
            },
            [&](std::exception_ptr) { ++failures; });
        CHECK(joined.wait_for(std::chrono::seconds(10)));
        CHECK(failures == 1);
    }
}

TEST_CASE("an event set before the wait is remembered, and one wait takes it") {
    Loop loop("test");
    const auto outcome = run_on(loop.executor(), []() -> awaitable<std::pair<bool, bool>> {
        Event event(co_await boost::asio::this_coro::executor);
        event.set();
        event.set();
        const bool first = co_await event.wait();
        const bool second = co_await event.wait(std::chrono::steady_clock::now());
        co_return std::pair(first, second);
    }());
    CHECK(outcome.first);
    CHECK_FALSE(outcome.second);
}
