#pragma once
#include "base/id.hpp"

namespace posthorn::domain {

inline constexpr int shard_count = 64;

// The shard that an endpoint belongs to, 0 to shard_count - 1. Stored with the endpoint and its deliveries:
// the function is fixed for ever (FNV-1a over the id's 16 bytes, folded).
int shard_of(EndpointId endpoint);

}  // namespace posthorn::domain
