#pragma once
#include <cstdint>

#include "base/uuid.hpp"

namespace posthorn::store {

// A stretch of a list: at most `limit` rows in the order of their ids, beyond `beyond` (not included). Each
// list has a statement for either direction, so that both walk an index.
struct Scan {
    Uuid beyond;
    bool descending = false;
    std::int64_t limit = 0;
};

}  // namespace posthorn::store
