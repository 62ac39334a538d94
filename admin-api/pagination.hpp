#pragma once
#include <algorithm>
#include <boost/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "admin-api/query.hpp"
#include "base/id.hpp"
#include "store/scan.hpp"

namespace posthorn::admin {

enum class Order { ascending, descending };

// A page that is asked for by `limit`, `iterator` and `order`. An iterator is the key of the last item of the
// page before; with a leading "-" it is that of the first item of the page after the one wanted. Because a
// page is bounded by a key and not by a count, rows that arrive or go meanwhile neither repeat nor hide
// others.
template <class Key>
struct Page {
    std::int64_t limit = 0;
    Order order = Order::ascending;
    bool backwards = false;
    std::optional<Key> beyond;

    // Which way the rows are walked through; backwards they come in reverse.
    bool scan_descending() const { return (order == Order::descending) != backwards; }
    std::int64_t scan_limit() const { return limit + 1; }  // one more tells whether there is more
};

// limit, iterator's sign and order (where a route has one); shared by all keys.
struct PageParameters {
    std::int64_t limit;
    Order order;
    bool backwards = false;
    std::optional<std::string> iterator;  // without the sign
};
PageParameters read_page_parameters(const QueryReader& query, Order order);
void add_bad_iterator(Problems& problems);

// A list that is ordered by ids of one kind. `order` is the route's default.
template <class IdType>
Page<IdType> read_page(const QueryReader& query, Order order) {
    const auto given = read_page_parameters(query, order);
    Page<IdType> page{given.limit, given.order, given.backwards, std::nullopt};
    if (given.iterator) {
        page.beyond = IdType::parse(*given.iterator);
        if (!page.beyond) add_bad_iterator(query.problems());
    }
    return page;
}

// A list that is ordered by name.
Page<std::string> read_name_page(const QueryReader& query, Order order, std::size_t longest);

template <class Tag>
store::Scan scan_of(const Page<Id<Tag>>& page) {
    Uuid bound;
    if (page.beyond)
        bound = page.beyond->value;
    else if (page.scan_descending())
        bound.bytes.fill(0xFF);
    return {bound, page.scan_descending(), page.scan_limit()};
}

// The answer {data, iterator, prevIterator, done}. `rows` are the scan's, in the order they were walked
// through; key_of gives an item's key as text, to_json the item.
template <class Key, class Row, class KeyOf, class ToJson>
http::Response page_response(const Page<Key>& page, std::vector<Row> rows, KeyOf key_of, ToJson to_json) {
    const auto limit = static_cast<std::size_t>(page.limit);
    const bool done = rows.size() <= limit;
    if (!done) rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(limit), rows.end());
    if (page.backwards) std::reverse(rows.begin(), rows.end());
    boost::json::array data;
    data.reserve(rows.size());
    for (const auto& row : rows) data.push_back(to_json(row));
    boost::json::object answer{
        {"data", std::move(data)}, {"iterator", nullptr}, {"prevIterator", nullptr}, {"done", done}};
    if (!rows.empty()) {
        answer["iterator"] = key_of(rows.back());
        answer["prevIterator"] = "-" + key_of(rows.front());
    }
    return http::json_response(200, answer);
}

}  // namespace posthorn::admin
