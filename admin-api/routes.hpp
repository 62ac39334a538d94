#pragma once
#include <array>

#include "admin-api/context.hpp"

// One function a resource, called by add_routes; each file of admin-api/routes/ holds one resource.
namespace posthorn::admin {

void add_api_key_routes(http::Router& router, Context& context);
void add_application_routes(http::Router& router, Context& context);
void add_attempt_routes(http::Router& router, Context& context);
void add_audit_log_routes(http::Router& router, Context& context);
void add_authentication_routes(http::Router& router, Context& context);
void add_background_task_routes(http::Router& router, Context& context);
void add_dead_letter_routes(http::Router& router, Context& context);
void add_documentation_routes(http::Router& router, Context& context);
void add_endpoint_bulk_routes(http::Router& router, Context& context);
void add_endpoint_header_routes(http::Router& router, Context& context);
void add_endpoint_routes(http::Router& router, Context& context);
void add_endpoint_secret_routes(http::Router& router, Context& context);
void add_event_type_import_routes(http::Router& router, Context& context);
void add_event_type_routes(http::Router& router, Context& context);
void add_example_routes(http::Router& router, Context& context);
void add_explanation_routes(http::Router& router, Context& context);
void add_health_routes(http::Router& router, Context& context);
void add_message_routes(http::Router& router, Context& context);
void add_replay_routes(http::Router& router, Context& context);
void add_statistics_routes(http::Router& router, Context& context);

// Where endpoints are: those of an application, and the organization's own, for its operational webhooks.
// Handlers serve both (find_application).
inline constexpr std::array<std::string_view, 2> endpoint_paths{"/api/v1/app/{app_id}/endpoint",
                                                                "/api/v1/operational-webhook/endpoint"};

using RouteHandler = boost::asio::awaitable<http::Response> (*)(Context& context, http::Request& request);
void add_route(http::Router& router, Context& context, http::Method method, std::string_view pattern,
               RouteHandler handler);

}  // namespace posthorn::admin
