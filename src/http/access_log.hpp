#pragma once
#include <cstddef>
#include <string>

#include "base/clock.hpp"
#include "http/message.hpp"

namespace posthorn::http {

struct AccessRecord {
    const Request& request;  // path empty: refused before its target was known
    int status;
    Duration duration;
    std::size_t bytes_in;
    std::size_t bytes_out;
};

// One line, with what an attacker chose escaped. Of the query only the names: values may be secrets.
std::string access_line(const AccessRecord& record);

void log_access(const AccessRecord& record);  // at info

}  // namespace posthorn::http
