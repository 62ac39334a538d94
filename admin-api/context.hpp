#pragma once
#include <chrono>
#include <memory>

#include "admin-api/access_token_cache.hpp"
#include "admin-api/api_key_cache.hpp"
#include "base/clock.hpp"
#include "base/secret.hpp"
#include "domain/secret_box.hpp"
#include "egress/address_guard.hpp"
#include "http/router.hpp"
#include "store/connection.hpp"

namespace posthorn::admin {

// What the routes of one loop work with; outlives its router.
struct Context {
    store::Pool& pool;   // of this loop
    const Clock& clock;  // system_now() follows the database's clock
    Secret jwt_secret;
    const domain::SecretBox& secret_box;  // seals endpoint secrets and headers
    egress::HostChecker& host_checker;    // of this loop
    std::chrono::milliseconds request_timeout;
    ApiKeyCache api_keys = {};            // of this loop
    AccessTokenCache access_tokens = {};  // likewise
};

// Adds every route of the admin API.
void add_routes(http::Router& router, Context& context);

}  // namespace posthorn::admin
