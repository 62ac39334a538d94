#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>

#include "support/catch.hpp"
#include "support/store_fixture.hpp"

using namespace posthorn;
using posthorn::test::StoreFixture;

TEST_CASE("who waits for a connection gets it though the one before gave up when it was his turn") {
    StoreFixture f;
    store::Pool pool(f.io().get_executor(), f.connect_options(), 1);
    std::optional<store::Pool::Lease> lent(f.run(pool.acquire()));
    const auto wait = [&](bool& got, bool& ended) -> boost::asio::awaitable<void> {
        try {
            const auto lease = co_await pool.acquire();
            got = true;
        } catch (const std::exception&) {  // cancelled, or 5 s have passed
        }
        ended = true;
    };
    bool first_got = false, first_ended = false, second_got = false, second_ended = false;
    boost::asio::cancellation_signal give_up;
    boost::asio::co_spawn(
        f.io(), wait(first_got, first_ended),
        boost::asio::bind_cancellation_slot(give_up.slot(), [](const std::exception_ptr&) {}));
    boost::asio::co_spawn(f.io(), wait(second_got, second_ended), [](const std::exception_ptr&) {});
    f.io().restart();
    f.io().poll();
    give_up.emit(boost::asio::cancellation_type::terminal);
    lent.reset();  // before the first has heard
    f.io().restart();
    const auto begin = std::chrono::steady_clock::now();
    while (!second_ended && f.io().run_one() > 0) {
    }
    CHECK(first_ended);
    CHECK_FALSE(first_got);
    CHECK(second_got);
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(4));
}
