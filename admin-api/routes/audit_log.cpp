#include "store/audit_log.hpp"

#include <boost/json.hpp>

#include "admin-api/access.hpp"
#include "admin-api/fields.hpp"
#include "admin-api/listing.hpp"
#include "admin-api/routes.hpp"

namespace posthorn::admin {

using boost::asio::awaitable;
namespace json = boost::json;

namespace {

constexpr TextRule word_rule{.shortest = 1, .longest = limits::uid_characters};

json::object to_json(const store::AuditRow& row) {
    return {{"id", row.id.str()},
            {"actor", row.actor},
            {"action", row.action},
            {"subject", row.subject},
            {"details", from_json_text(row.details)},
            {"requestId", or_null(row.request_id)},
            {"timestamp", format_timestamp(row.created_at)}};
}

// Who changed what, when.
awaitable<http::Response> list_audit_log(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"audit-log", false});
    require_organization(principal);
    Problems problems;
    const QueryReader query(request, problems);
    const auto page = read_page<AuditEntryId>(query, Order::descending);
    const auto after = query.time("after"), before = query.time("before");
    const store::AuditFilter filter{query.text("actor", word_rule), query.text("action", word_rule),
                                    query.text("subject", word_rule), query.text("application", word_rule)};
    problems.throw_if_any();
    auto rows = co_await store::list_audit_log(context.pool, principal.organization,
                                               range_of(page, after, before), filter);
    co_return page_response(
        page, std::move(rows), [](const store::AuditRow& row) { return row.id.str(); }, to_json);
}

}  // namespace

void add_audit_log_routes(http::Router& router, Context& context) {
    add_route(router, context, http::Method::get, "/api/v1/audit-log", list_audit_log);
}

}  // namespace posthorn::admin
