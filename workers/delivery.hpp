#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "base/id.hpp"
#include "store/delivery.hpp"
#include "workers/endpoint_config.hpp"

namespace posthorn::workers {

// A delivery in a worker's memory.
struct Delivery {
    ApplicationId application;
    EndpointId endpoint;
    MessageId message;
    std::int64_t run_id = 0;
    store::RowPlace place{};
    int attempt = 1;
    bool manual = false;
    std::shared_ptr<const std::string> payload;           // null: still in the table message
    std::shared_ptr<const domain::MessageExtras> extras;  // comes with the payload; null: none
    SteadyTime slot_taken{};                              // when it was let through to be attempted
};

// A delivery whose request is to be sent now.
struct Start {
    Delivery delivery;
    store::HeldShard shard;
    std::shared_ptr<const EndpointConfig> config;
};

// A committed delivery that ingest hands over, payload in hand.
struct HandedDelivery {
    Delivery delivery;
    int shard = 0;
    bool from_table = false;  // the table says when it is its turn
};

}  // namespace posthorn::workers
