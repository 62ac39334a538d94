#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>

#include "admin-api/access.hpp"

namespace posthorn::admin {

// The application of the path's {app_id}; where there is none and `application` describes one ("application"
// of a body, null otherwise), it is created under the path's uid. Throws Problem 404 as find_application,
// http::ValidationProblem for what is wrong with the description.
boost::asio::awaitable<ApplicationId> find_or_create_application(Context& context, const Principal& principal,
                                                                 const http::Request& request,
                                                                 const boost::json::object* application);

}  // namespace posthorn::admin
