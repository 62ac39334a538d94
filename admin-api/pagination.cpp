#include "admin-api/pagination.hpp"

#include "admin-api/limits.hpp"
#include "domain/endpoint_filter.hpp"

namespace posthorn::admin {

namespace {
constexpr TextRule iterator_rule{.shortest = 1, .longest = 300, .name = true};
}

void add_bad_iterator(Problems& problems) {
    problems.add({"query", "iterator"}, "is not an iterator of this list: pass on one that was returned",
                 "value_error.iterator");
}

PageParameters read_page_parameters(const QueryReader& query, Order order) {
    PageParameters given{query.integer("limit", 1, limits::page_items).value_or(limits::default_page_items),
                         order, false, query.text("iterator", iterator_rule)};
    if (const auto choice = query.choice("order", {"ascending", "descending"}))
        given.order = *choice == 0 ? Order::ascending : Order::descending;
    if (given.iterator && given.iterator->starts_with('-')) {
        given.backwards = true;
        given.iterator->erase(0, 1);
    }
    return given;
}

Page<std::string> read_name_page(const QueryReader& query, Order order, std::size_t longest) {
    auto given = read_page_parameters(query, order);
    if (given.iterator && !domain::is_valid_name(*given.iterator, longest))
        add_bad_iterator(query.problems());
    return {given.limit, given.order, given.backwards, std::move(given.iterator)};
}

}  // namespace posthorn::admin
