#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>

#include "store/connection.hpp"
#include "store/sealer.hpp"

namespace posthorn::cli {

// Tells `posthorn rekey` that this process runs, and which master key it seals under.
class SealerPresence {
public:
    // `self` with its host and its key's fingerprint.
    SealerPresence(boost::asio::any_io_executor executor, store::ConnectOptions connect, store::Sealer self)
        : executor_(std::move(executor)), connect_(std::move(connect)), self_(std::move(self)) {}

    // Once, before anything can be sealed. Throws DatabaseError.
    boost::asio::awaitable<void> enroll(store::Connection& connection);
    boost::asio::awaitable<void> run();    // until cancelled
    boost::asio::awaitable<void> leave();  // when nothing can be sealed any more

private:
    boost::asio::awaitable<store::Connection*> session();

    boost::asio::any_io_executor executor_;
    store::ConnectOptions connect_;
    store::Sealer self_;
    std::unique_ptr<store::Connection> session_;
};

}  // namespace posthorn::cli
