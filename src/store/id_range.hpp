#pragma once
#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/uuid.hpp"
#include "store/scan.hpp"

namespace posthorn::store {

// A stretch of a list in the order of its ids: at most `limit` rows from `near` (not included) towards `far`
// (included).
struct IdRange {
    Uuid near;
    Uuid far;
    bool descending = true;
    std::int64_t limit = 0;
};

// The scan, kept to what was made from `after` on and before `before`, by the time in the ids.
IdRange bounded(const Scan& scan, std::optional<SystemTime> after, std::optional<SystemTime> before);

template <class Row>
struct Listing {
    std::vector<Row> rows;
    // The search was given up here, before it had as many rows as wanted: go on beyond this id. Filters that
    // match next to nothing would otherwise read a whole table for one page.
    std::optional<Uuid> stopped_at;
};

// What one request for a page looks at, at most.
inline constexpr std::int64_t rows_a_window = 2'000;
inline constexpr int windows_a_request = 25;

// Fills a page from window after window. end_of_window(range) gives the last id of the next rows_a_window
// rows of the range, or nothing if there are fewer; read(range) the rows of the range that match.
template <class Row, class EndOfWindow, class Read>
boost::asio::awaitable<Listing<Row>> walk_in_windows(IdRange range, EndOfWindow end_of_window, Read read) {
    Listing<Row> listing;
    for (int window = 0; window < windows_a_request; ++window) {
        const std::optional<Uuid> end = co_await end_of_window(range);
        IdRange part = range;
        part.limit = range.limit - static_cast<std::int64_t>(listing.rows.size());
        if (end) part.far = *end;
        std::vector<Row> found = co_await read(part);
        std::move(found.begin(), found.end(), std::back_inserter(listing.rows));
        if (!end || static_cast<std::int64_t>(listing.rows.size()) >= range.limit) co_return listing;
        range.near = *end;
    }
    listing.stopped_at = range.near;
    co_return listing;
}

}  // namespace posthorn::store
