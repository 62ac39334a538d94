#pragma once
#include <string>

#include "http/message.hpp"

namespace posthorn::http {

// The incoming X-Request-Id if it is 1 to 64 characters of [A-Za-z0-9._-] (it goes into logs and back to the
// client), else a made one.
std::string choose_request_id(const Fields& fields);

}  // namespace posthorn::http
