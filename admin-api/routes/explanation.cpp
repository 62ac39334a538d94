#include "store/explanation.hpp"

#include <boost/json.hpp>

#include "admin-api/access.hpp"
#include "admin-api/fields.hpp"
#include "admin-api/messages.hpp"
#include "admin-api/problems.hpp"
#include "admin-api/routes.hpp"
#include "domain/payload_filter.hpp"

namespace posthorn::admin {

using boost::asio::awaitable;
namespace json = boost::json;

namespace {

bool takes_payload(const store::ExplanationRow& row) {
    if (!row.filter || !row.payload) return true;
    if (row.raw) return false;
    const auto filter = domain::PayloadFilter::parse(json::parse(*row.filter).as_object());
    return std::get<domain::PayloadFilter>(filter).matches(*row.payload);
}

json::object to_json(const domain::Explanation& explanation) {
    json::object object{{"state", domain::to_string(explanation.state)},
                        {"reason", explanation.reason},
                        {"detail", explanation.detail},
                        {"until", nullptr},
                        {"waitingFor", or_null(explanation.waiting_for)}};
    if (explanation.until) object["until"] = format_timestamp(*explanation.until);
    return object;
}

awaitable<http::Response> explain_delivery(Context& context, http::Request& request) {
    const auto principal = co_await authenticate(context, request, {"message", false});
    const auto application = co_await find_application(context, principal, request);
    const auto endpoint = co_await find_endpoint(context, application, request);
    const auto message = co_await find_message(context, application, request, false);
    auto row = co_await store::explain_delivery(context.pool, application, endpoint, message.id);
    if (!row) throw not_found();
    row->facts.takes_payload = takes_payload(*row);
    co_return http::json_response(200, to_json(domain::explain(row->facts)));
}

}  // namespace

void add_explanation_routes(http::Router& router, Context& context) {
    add_route(router, context, http::Method::get,
              "/api/v1/app/{app_id}/msg/{msg_id}/endpoint/{endpoint_id}/explanation", explain_delivery);
}

}  // namespace posthorn::admin
