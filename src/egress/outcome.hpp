#pragma once
#include <curl/curl.h>

#include "egress/client.hpp"

namespace posthorn::egress {

// What an error of libcurl (not CURLE_OK) means to the one who wanted something delivered.
Failure failure_of(CURLcode code);

}  // namespace posthorn::egress
