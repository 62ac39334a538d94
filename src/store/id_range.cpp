#include "store/id_range.hpp"

namespace posthorn::store {

IdRange bounded(const Scan& scan, std::optional<SystemTime> after, std::optional<SystemTime> before) {
    Uuid lowest, highest;
    highest.bytes.fill(0xFF);
    if (after) lowest = uuid_v7_floor(*after);
    if (before) highest = uuid_v7_floor(*before);
    if (scan.descending) return {std::min(scan.beyond, highest), lowest, true, scan.limit};
    return {std::max(scan.beyond, lowest), highest, false, scan.limit};
}

}  // namespace posthorn::store
