#include "admin-api/routes.hpp"

namespace posthorn::admin {

void add_route(http::Router& router, Context& context, http::Method method, std::string_view pattern,
               RouteHandler handler) {
    router.add(method, pattern,
               [&context, handler](http::Request& request) { return handler(context, request); });
}

void add_routes(http::Router& router, Context& context) {
    add_api_key_routes(router, context);
    add_application_routes(router, context);
    add_attempt_routes(router, context);
    add_audit_log_routes(router, context);
    add_authentication_routes(router, context);
    add_background_task_routes(router, context);
    add_dead_letter_routes(router, context);
    add_documentation_routes(router, context);
    add_endpoint_bulk_routes(router, context);
    add_endpoint_header_routes(router, context);
    add_endpoint_routes(router, context);
    add_endpoint_secret_routes(router, context);
    add_event_type_import_routes(router, context);
    add_event_type_routes(router, context);
    add_example_routes(router, context);
    add_explanation_routes(router, context);
    add_health_routes(router, context);
    add_message_routes(router, context);
    add_replay_routes(router, context);
    add_statistics_routes(router, context);
}

}  // namespace posthorn::admin
