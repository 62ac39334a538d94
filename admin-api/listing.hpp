#pragma once
#include <boost/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "admin-api/pagination.hpp"
#include "store/id_range.hpp"

namespace posthorn::admin {

// The object as text, with one member more whose value is JSON text already: that is neither parsed nor
// written anew (I12).
std::string with_raw_member(const boost::json::object& object, std::string_view name, std::string_view raw);

http::Response listing_response(std::vector<std::string> items, const std::optional<std::string>& iterator,
                                const std::optional<std::string>& previous, bool done);

template <class Tag>
store::IdRange range_of(const Page<Id<Tag>>& page, std::optional<SystemTime> after,
                        std::optional<SystemTime> before) {
    return store::bounded(scan_of(page), after, before);
}

// As page_response, for a list that may give up before the page is full, and for items that are text. A page
// that was given up is not the last, and goes on where the search ended.
template <class Tag, class Row, class KeyOf, class ToText>
http::Response listing_response(const Page<Id<Tag>>& page, store::Listing<Row> listing, KeyOf key_of,
                                ToText to_text) {
    auto& rows = listing.rows;
    const auto limit = static_cast<std::size_t>(page.limit);
    const bool done = rows.size() <= limit && !listing.stopped_at;
    if (rows.size() > limit) rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(limit), rows.end());
    if (page.backwards) std::reverse(rows.begin(), rows.end());
    std::optional<std::string> iterator, previous;
    if (!rows.empty()) {
        iterator = key_of(rows.back());
        previous = "-" + key_of(rows.front());
    }
    if (listing.stopped_at) {
        const auto stop = Id<Tag>{*listing.stopped_at}.str();
        (page.backwards ? previous : iterator) = page.backwards ? "-" + stop : stop;
    }
    std::vector<std::string> items;
    items.reserve(rows.size());
    for (const auto& row : rows) items.push_back(to_text(row));
    return listing_response(std::move(items), iterator, previous, done);
}

}  // namespace posthorn::admin
