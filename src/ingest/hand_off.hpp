#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/id.hpp"
#include "domain/message_extras.hpp"
#include "store/accept.hpp"

namespace posthorn::ingest {

// A committed delivery, with what is to be sent.
struct HandedDelivery : store::NewDelivery {
    std::shared_ptr<const std::string> payload;
    std::shared_ptr<const domain::MessageExtras> extras;
};

// Where committed deliveries go without a detour through the database. Called on the batcher's executor;
// returns quickly and doesn't throw. Each announced batch ends by exactly one call of committed or failed.
class HandOff {
public:
    virtual ~HandOff() = default;
    // Before the batch's statement is sent: from now on a reader of the database may meet these messages'
    // deliveries.
    virtual void announce(std::uint64_t batch, std::span<const MessageId> messages) = 0;
    virtual void committed(std::uint64_t batch, std::vector<HandedDelivery> deliveries) = 0;
    // unknown: some of it may have been committed, for endpoints that can't be named; else nothing was.
    virtual void failed(std::uint64_t batch, bool unknown) = 0;
};

}  // namespace posthorn::ingest
