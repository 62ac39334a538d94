#pragma once
#include <boost/asio/awaitable.hpp>

#include "ingest/route.hpp"

namespace posthorn::ingest {

// POST /api/v1/app/{app_id}/msg/batch: each message has its own verdict; with mode=all none is stored if one
// of them is invalid.
boost::asio::awaitable<http::Response> create_messages(const RouteContext& context, http::Request& request);

}  // namespace posthorn::ingest
