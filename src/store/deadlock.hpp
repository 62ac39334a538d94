#pragma once
#include <type_traits>

#include "store/connection.hpp"

namespace posthorn::store {

// How often it is tried what loses to another transaction in a deadlock: workers lock deliveries in the order
// of their places, a change of an endpoint in that of an index.
inline constexpr int tries_at_deadlocks = 5;

// Runs the coroutine body(), a transaction; after a deadlock once more, from its beginning.
template <class Body>
auto again_after_deadlocks(Body body) -> std::invoke_result_t<Body&> {
    for (int tries = 1;; ++tries) {
        try {
            co_return co_await body();
        } catch (const DatabaseError& error) {
            if (!error.is(sqlstate::deadlock_detected) || tries == tries_at_deadlocks) throw;
        }
    }
}

}  // namespace posthorn::store
