#pragma once
#include <boost/asio/awaitable.hpp>
#include <functional>

#include "base/id.hpp"
#include "http/router.hpp"
#include "ingest/batcher.hpp"
#include "ingest/enforced_schemas.hpp"

namespace posthorn::ingest {

struct RouteContext {
    MessageBatcher& batcher;   // outlives the router
    const Clock& clock;        // follows the database's; likewise
    EnforcedSchemas& schemas;  // likewise
    store::Pool& pool;         // the HTTP loop's; likewise
    // Whose message it is. Throws http::Problem for who may not submit.
    std::function<boost::asio::awaitable<OrganizationId>(const http::Request&)> authenticate;
    // Creates the path's application, as a JSON object describes it, for who asks; one that is there by now
    // is as good. Throws http::Problem and http::ValidationProblem.
    std::function<boost::asio::awaitable<void>(const http::Request&, std::string_view)> create_application;
};

// POST /api/v1/app/{app_id}/msg and .../msg/batch
void add_routes(http::Router& router, RouteContext context);

}  // namespace posthorn::ingest
